import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../support/until.ts'
import type { TestApp } from '../support/app.ts'

export const roles = ['nobody', 'stranger', 'reader', 'writer', 'admin'] as const
export type Role = (typeof roles)[number]

/** How a call ends: with an answer, or refused with a code of the fault table. */
export type Outcome = 'ok' | 'unauthenticated' | 'forbidden' | 'not_found' | 'invalid_credential'
export type Expectation = Readonly<Record<Role, Outcome>>

/** One call of an operation that would work, made new for each role: what it names is private, and `reader` and `writer` hold their level on it. */
export type Fixture = {
  readonly input: (make: Making) => Promise<object> | object
  /** Where the operation decides by itself: then it is in exceptions.txt. */
  readonly expect?: Expectation
  /** The code that a call ends with whose caller may make it, where this lab lacks what it needs. */
  readonly ends?: string
}

export type Making = ReturnType<typeof makingIn>

let count = 0

/** Makes things of which a stranger may not know. `hidden` collects how they are referred to. */
export function makingIn(app: TestApp) {
  const hidden: string[] = []
  const name = () => `hid${++count}`
  const remember = (reference: string) => {
    hidden.push(reference)
    return reference
  }
  // Groups begin with *read* for everyone.
  const levels = { everyone: 'none', 'user:reader': 'read', 'user:writer': 'write' }
  const grant = async (on: string) => {
    for (const [to, level] of Object.entries(levels)) await app.system('grant.set', { to, on, level })
  }
  const made = async (kind: string, input: object, reference: string) => {
    await app.system(`${kind}.create`, input)
    await grant(`${kind}:${reference}`)
    return remember(reference)
  }
  const making = {
    hidden,
    name,
    user: async (more: object = {}) => {
      const user = name()
      await app.system('user.create', { name: user, ...more })
      return remember(user)
    },
    group: async () => {
      const group = name()
      return made('group', { name: group }, group)
    },
    repositoryGroup: async () => {
      const path = name()
      return made('repository-group', { path, copy_permissions: false }, path)
    },
    repository: async () => {
      const path = name()
      return made('repository', { path }, path)
    },
    repositoryWithFile: async () => {
      const repository = await making.repository()
      await app.system('repository.commit-files', { repository, branch: 'master', message: 'file', files: [{ path: 'a/b', text: 'x' }] })
      return repository
    },
    /** A repository and a fork of it that is one commit ahead: the ends of a pull request. */
    ends: async () => {
      const repository = await making.repositoryWithFile()
      const fork = name()
      await app.system('repository.fork', { repository, path: fork })
      await grant(`repository:${remember(fork)}`)
      await app.system('repository.commit-files', { repository: fork, branch: 'master', message: 'more', files: [{ path: 'c', text: 'x' }] })
      return { repository, target_branch: 'master', source_repository: fork, source_branch: 'master' }
    },
    pullRequest: async () => {
      const { id } = await app.system('pull-request.create', { ...(await making.ends()), title: 'x' })
      return remember(id as string)
    },
    close: (pull_request: string) => app.system('pull-request.close', { pull_request }),
    /** A private gist by its id: its letters would be the key to it. */
    gist: async () => {
      const { id } = await app.system('gist.create', { files: [{ name: 'a', text: 'x' }] })
      await grant(`gist:${id as string}`)
      return remember(id as string)
    },
    /** A namespace in use, and the run of a task in it that has ended. */
    task: async () => {
      const namespace = name()
      const run = await app.system('task.deploy', { repository: 'source', directory: 'job', namespace })
      await grant(`namespace:${namespace}`)
      await until('the task has ended', async () => (await app.system('run.get', { run: run.id })).state === 'succeeded')
      hidden.push(namespace, run.id)
      return { namespace, name: run.name as string, run: run.id as string }
    },
    /** A cron job that is not due for a long time, by its id. */
    schedule: async () => {
      const namespace = name()
      const { id } = await app.system('task.deploy', { repository: 'source', directory: 'job', namespace, schedule: '0 0 1 1 *' })
      await grant(`namespace:${namespace}`)
      hidden.push(namespace, id)
      return { namespace, schedule: id as string }
    },
    /** A webhook that is not active, so that nothing is ever sent. */
    webhook: async () => {
      const input = { repository: await making.repository(), url: 'http://93.184.216.34/', active: false }
      return remember((await app.system('webhook.create', input)).id as string)
    },
    /** A folder below the plugin root with a package in shell. */
    package: async () => {
      const path = name()
      const bin = join(app.folder, 'data/plugins', path, 'bin')
      await mkdir(bin, { recursive: true })
      await writeFile(join(bin, 'icon_plugin'), '#!/bin/sh\n', { mode: 0o755 })
      await writeFile(join(bin, '../plugin.spec.yaml'), `name: ${path}\nvendor: matrix\nversion: 1.0.0\n`)
      return path
    },
    plugin: async () => {
      const plugin = `matrix/${await making.package()}/1.0.0`
      await app.system('plugin.install', { path: plugin.split('/')[1] })
      await grant(`plugin:${plugin}`)
      return remember(plugin)
    },
    /** An active workflow that asks a person; `{ draft }`: one that was changed since. */
    workflow: async (options: { active?: boolean; draft?: boolean } = {}) => {
      const workflow = name()
      const steps = [
        { id: 'start', name: 'start', type: 'api_trigger' },
        { id: 'ask', name: 'ask', type: 'human_decision', parameters: { stepControlParams: [{ edgeId: 'yes' }] } },
      ]
      const paths = [
        { id: 'go', from_step: 'start', to_step: 'ask' },
        { id: 'yes', from_step: 'ask', to_step: '', name: 'Yes' },
      ]
      const document = { name: workflow, steps, paths }
      await app.system('workflow.create', { document })
      if (options.active !== false) await app.system('workflow.activate', { workflow })
      if (options.draft) await app.system('workflow.update', { workflow, document: { ...document, description: 'changed' } })
      await grant(`workflow:${workflow}`)
      return remember(workflow)
    },
    /** A trigger that takes events from anybody, with an active workflow that is bound to it. */
    trigger: async () => {
      const made = await app.system('trigger.create', { name: name(), type: 'api_trigger', require_auth: false })
      const workflow = name()
      const steps = [{ id: 'start', name: 'start', type: 'api_trigger', parameters: { trigger_config_id: made.id } }]
      await app.system('workflow.create', { document: { name: workflow, steps, paths: [] } })
      await app.system('workflow.activate', { workflow })
      await grant(`workflow:${workflow}`)
      return remember(made.id as string)
    },
    connection: async () => {
      const connection = name()
      const plugin = { plugin_vendor: 'matrix', plugin_name: 'none', plugin_version: '1.0.0' }
      await app.system('connection.create', { name: connection, ...plugin, parameters: { key: 'x' } })
      await grant(`connection:${connection}`)
      return remember(connection)
    },
    artifact: async () => {
      const artifact = name()
      return made('artifact', { name: artifact }, artifact)
    },
    /** A job that waits for a person, or one that was cancelled. */
    job: async (options: { ended?: boolean } = {}) => {
      const { id } = await app.system('workflow.run', { workflow: await making.workflow() })
      const job = id as string
      if (options.ended) {
        await app.system('job.cancel', { job })
        await until('the job has ended', async () => (await app.system('job.get', { job })).ended_at !== null)
      } else await until('it asks', async () => (await app.system('job.get', { job })).status === 'waiting')
      return remember(job)
    },
    loading: async () => (await app.system('loading.start', { kind: 'task', repository: 'source', directory: 'job' })).id as string,
    /** A published service that everybody may use who is signed in. */
    service: async () => {
      const namespace = name()
      const published = { prefix: `/${namespace}/` }
      const configuration = { type: 'service', name: namespace, replicas: 0, 'container-port': 80, cmd: ['/bin/true'], published }
      return (await app.system('task.deploy', { namespace, configuration })).id as string
    },
    pipeline: async () => {
      const namespace = name()
      const { id } = await app.system('pipeline.run', { repository: 'source', directory: 'line', namespace, name: namespace })
      await grant(`namespace:${namespace}`)
      hidden.push(namespace, id)
      return { namespace, run: id as string }
    },
    secret: async () => {
      const scope = `repository:${await making.repository()}`
      await app.system('secret.set', { scope, name: 'x', value: 'y' })
      return scope
    },
    session: async () => {
      const user = await making.user({ password: 'a phrase that is long' })
      return (await app.system('session.create', { login: user, password: 'a phrase that is long' })).token as string
    },
  }
  return making
}

/** The repository from which all tasks come; everybody with a name here may read it. */
export async function makeSource(app: TestApp): Promise<void> {
  await app.system('repository.create', { path: 'source', default_branch: 'master' })
  const manifest = JSON.stringify({ type: 'job', name: 'job', cmd: ['/bin/true'] })
  const pipeline = JSON.stringify({ name: 'line', original: 'line', tasks: [{ name: 'one', namespacetask: 'source/job' }] })
  const files = [
    { path: 'job/manifest.json', text: manifest },
    { path: 'job/code/x', text: 'x' },
    { path: 'line/pipeline.json', text: pipeline },
  ]
  await app.system('repository.commit-files', { repository: 'source', branch: 'master', message: 'files', files })
  for (const to of ['reader', 'writer']) await app.system('grant.set', { to: `user:${to}`, on: 'repository:source', level: 'read' })
}

/** The same call about things that are not there. */
export function missing(input: object, hidden: readonly string[]): { input: object; back: (text: string) => string } {
  const pairs = hidden.map((reference) => [reference, reference.startsWith('hid') ? reference.replace('hid', 'mis') : randomUUID()] as const)
  const swap = (text: string, from: 0 | 1) => pairs.reduce((swapped, pair) => swapped.replaceAll(pair[from], pair[from === 0 ? 1 : 0]), text)
  return { input: JSON.parse(swap(JSON.stringify(input), 0)) as object, back: (text) => swap(text, 1) }
}
