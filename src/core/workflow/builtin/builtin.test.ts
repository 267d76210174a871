import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { invoke } from '../../operation/invoke.ts'
import { readSpec } from '../plugin/spec.ts'
import { artifact, documentOf, trigger } from '../job/workflow.suite.ts'
import { builtinPlugins } from './all.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'
import type { JsonObject } from '../../kernel/json.ts'

const letters: { to: string[]; text: string }[] = []
const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData(stream, { envelope }, done) {
    let text = ''
    stream.on('data', (chunk) => (text += chunk))
    stream.on('end', () => {
      letters.push({ to: envelope.rcptTo.map(({ address }) => address), text })
      done()
    })
  },
})
const web = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'text/csv' }).end('host,level\r\nweb,3\r\ndb,7\r\n'))
const portOf = (address: unknown) => (address as AddressInfo).port // both listen on TCP

let app: TestApp
let ann: Person
let webPort = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => smtp.listen(0, '127.0.0.1', () => resolve()))
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  webPort = portOf(web.address())
  app = await openApp({ config: { smtpUrl: `smtp://127.0.0.1:${portOf(smtp.server.address())}`, egressAllow: ['127.0.0.1/32'] } })
  ann = await app.person('ann', { administrator: true })
  await as(ann, 'repository.create', { path: 'tools' })
})
afterAll(async () => {
  await app.close()
  await new Promise<void>((resolve) => smtp.close(() => resolve()))
  web.close()
})

const origin = { via: 'test', peer: '127.0.0.1', requestId: 'test' }
// biome-ignore lint/suspicious/noExplicitAny: tests read members of outputs as scripts of operators do
const as = (person: Person, operation: string, input: JsonObject): Promise<any> =>
  invoke(app.services, { principal: person.principal, origin }, operation, input)

function action(id: string, name: string, input: JsonObject, more: JsonObject = {}): JsonObject {
  const [plugin = '', step = ''] = name.split('.')
  const about = { plugin_name: plugin, plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: step }
  return { id, type: 'action', parameters: { ...about, input, ...more } }
}

/** A job of steps one after the other, started by somebody and awaited. */
async function runOf(person: Person, name: string, steps: readonly JsonObject[], message: JsonObject = {}) {
  const job = await started(person, name, steps, message)
  return endedJob(job)
}

async function started(person: Person, name: string, steps: readonly JsonObject[], message: JsonObject = {}): Promise<string> {
  const chain = ['start', ...steps.map((step) => String(step.id))]
  const paths = chain.slice(1).map((to, index) => `${chain[index]}>${to}`)
  const { id } = await app.system('workflow.create', { document: documentOf({ name, steps: [trigger, ...steps], paths }) })
  await app.system('workflow.activate', { workflow: id })
  await app.system('grant.set', { to: `user:${person.name}`, on: `workflow:${id}`, level: 'execute' })
  return (await as(person, 'workflow.run', { workflow: id, message })).id
}

async function endedJob(job: string) {
  await until('the job has ended', async () => (await app.system('job.get', { job })).ended_at !== null)
  return app.system('job.get', { job })
}

describe('built-in plugins', () => {
  test.each(builtinPlugins.map((plugin) => [`${plugin.vendor}/${plugin.name}`, plugin] as const))(
    '%s has a spec that is read without a warning and names exactly its actions',
    async (_, plugin) => {
      const spec = await readSpec(plugin.spec)
      expect(spec).toMatchObject({ vendor: plugin.vendor, name: plugin.name, version: plugin.version, warnings: [] })
      expect([...spec.actions.keys()].sort()).toEqual([...plugin.actions.keys()].sort())
      expect(spec.description).not.toBe('')
    },
  )

  test('a workflow commits a task, deploys and awaits it, reads the web, reckons with the answer and mails what came of it', async () => {
    const manifest = { type: 'job', name: 'sweep', cmd: ['/bin/true'] }
    const job = await runOf(
      ann,
      'whole',
      [
        action('text', 'json.stringify', { object: manifest, indent: 2 }),
        action('commit', 'git.commit_files', {
          repository: 'tools',
          message: 'Add a task',
          files: [
            { path: 'sweep/manifest.json', text: '{{[text].[text]}}' },
            { path: 'sweep/code/run.sh', text: 'true\n', executable: true },
          ],
        }),
        action('read', 'git.read_file', { repository: 'tools', path: 'sweep/manifest.json', revision: '{{[commit].[commit]}}' }),
        action('list', 'git.list_files', { repository: 'tools', recursive: true }),
        action('log', 'git.list_commits', { repository: 'tools' }),
        action('deploy', 'capstan.deploy_task', {
          repository: 'tools',
          directory: 'sweep',
          branch: '{{[commit].[branch]}}',
          namespace: 'weather',
          wait: true,
        }),
        action('again', 'capstan.wait_for_run', { run: '{{[deploy].[run]}}' }),
        action('fetch', 'http.request', { url: `http://127.0.0.1:${webPort}/hosts.csv` }),
        action('rows', 'csv.parse', { csv: '{{[fetch].[body]}}' }),
        action('bad', 'array.filter', { array: '{{[rows].[rows]}}', path: 'level', operator: 'greater', value: '5' }),
        action('pause', 'timers.delay', { delay: 0.01 }),
        action('hash', 'hash.sha256', { text: '{{[bad].[items].[0].[host]}}' }),
        action('mail', 'mail.send', {
          to: ['{{[start].[to]}}'],
          subject: 'Done',
          text: '{{[deploy].[state]}}: {{[bad].[count]}} bad, {{[hash].[hex]}}',
        }),
        action('user', 'capstan.run_operation', { operation: 'repository.get', input: { repository: 'tools' } }),
        artifact('out', '{{[user].[output].[path]}}'),
      ],
      { to: 'desk@lab.test' },
    )
    expect(job.failed_step).toBe(null)
    expect(job.status).toBe('succeeded')
    const { data } = job.context
    expect(data.read).toMatchObject({ encoding: 'utf-8', commit: data.commit.commit })
    expect(JSON.parse(data.read.content)).toEqual(manifest)
    expect(data.list.files.map(({ path }: { path: string }) => path)).toContain('sweep/code/run.sh')
    expect(data.log).toMatchObject({ count: 1, commits: [{ message: 'Add a task', author: { name: 'ann' } }] })
    expect(data.deploy).toMatchObject({ name: 'sweep', state: 'succeeded', succeeded: true, namespace: 'weather', type: 'job' })
    expect(data.again).toMatchObject({ run: data.deploy.run, succeeded: true })
    expect(data.bad).toMatchObject({ items: [{ host: 'db', level: '7' }], count: 1 })
    expect(data.mail).toMatchObject({ accepted: ['desk@lab.test'] })
    expect(letters.at(-1)?.text).toContain('succeeded: 1 bad')
    expect((await app.system('run.get', { run: data.deploy.run })).started_by).toBe('ann')
  })

  test('an action does what the starter of the job may do, and nothing else', async () => {
    const eve = await app.person('eve')
    const reads = await runOf(eve, 'peek', [action('read', 'git.read_file', { repository: 'tools', path: 'sweep/manifest.json' })])
    expect(reads).toMatchObject({ status: 'failed', failed_step: { name: 'read', message: expect.stringMatching(/There is no repository "tools"/) } })
    const makes = await runOf(eve, 'make', [action('op', 'capstan.run_operation', { operation: 'user.create', input: { name: 'mallory' } })])
    expect(makes.failed_step.message).toMatch(/You may not do this: user\.create/)
  })

  test('operations that take or give credentials are none for a workflow: they would be kept with the job', async () => {
    const inputs = {
      ...{ 'api-key.create': {}, 'session.create': {}, 'user.set-password': { password: 'x' }, 'secret.set': { value: 'x' } },
      'trigger.create': { name: 'hook', type: 'webhook' },
    }
    for (const [operation, input] of Object.entries(inputs)) {
      const job = await runOf(ann, `no ${operation}`, [action('op', 'capstan.run_operation', { operation, input })])
      expect(job.failed_step.message).toMatch(/credentials/)
    }
    const inner = [{ operation: 'api-key.create', input: { label: 'x' } }]
    const batch = await runOf(ann, 'no batch', [action('op', 'capstan.run_operation', { operation: 'batch.run', input: { operations: inner } })])
    expect(batch.failed_step.message).toMatch(/batch in a workflow is not supported/)
    const unknown = await runOf(ann, 'no such', [action('op', 'capstan.run_operation', { operation: 'user.explode', input: {} })])
    expect(unknown.failed_step.message).toMatch(/no operation "user\.explode"/)
  })

  test('an input of another type than the spec says fails the step before anything is done', async () => {
    const job = await runOf(ann, 'typed', [action('split', 'string.split', { text: '{{[start].[n]}}' })], { n: 5 })
    expect(job).toMatchObject({ status: 'failed', failed_step: { message: 'The input "text" must be of type string' } })
  })

  test('an input that the spec calls a password is used and not shown', async () => {
    const job = await runOf(ann, 'signed', [action('sign', 'hash.hmac', { text: 'a', key: 'of-the-hook' })])
    expect(job.context.data.sign.hex).toMatch(/^[0-9a-f]{64}$/)
    const steps = await app.system('job.list-steps', { job: job.id })
    expect(JSON.stringify(steps)).toContain('"key":"********"')
    expect(JSON.stringify(steps)).not.toContain('of-the-hook')
  })

  test('a run that fails fails the step that waits for it, unless that is allowed', async () => {
    const inner = [action('bad', 'json.parse', { text: 'no' })]
    const { workflow } = await app.system('job.get', { job: await started(ann, 'inner', inner) })
    const outer = await runOf(ann, 'outer', [
      action('allowed', 'capstan.run_workflow', { workflow, wait: true, allow_failure: true }),
      action('strict', 'capstan.run_workflow', { workflow, wait: true }),
    ])
    expect(outer.context.data.allowed).toMatchObject({ name: 'inner', state: 'failed', succeeded: false })
    expect(outer.failed_step).toMatchObject({ name: 'strict', message: expect.stringMatching(/of "inner" ended as failed/) })
  })

  test('a step that waits for the job that it is part of fails at once', async () => {
    const job = await runOf(ann, 'waits for itself', [action('wait', 'capstan.wait_for_run', { run: '{{[$job].[$id]}}' })])
    expect(job.failed_step).toMatchObject({ name: 'wait', message: 'A step cannot wait for the job that it is part of' })
  })

  test('a step may name a connection with credentials for a service, which is tried before it is used', async () => {
    const parameters = { base_url: `http://127.0.0.1:${webPort}/api`, token: { token: 'token-of-the-service' } }
    const plugin = { plugin_vendor: 'capstan', plugin_name: 'http', plugin_version: '1.0.0' }
    const made = await as(ann, 'connection.create', { name: 'service', ...plugin, parameters })
    expect(made.parameters).toEqual({ base_url: parameters.base_url, token: { token: '********' } })
    expect(await as(ann, 'connection.test', { connection: 'service' })).toMatchObject({
      success: true,
      message: 'The base URL answers with the status 200.',
    })
    const get = (url: string) => action('get', 'http.request', { url }, { connection: { name: 'service' } })
    expect(await runOf(ann, 'with service', [get('hosts.csv')])).toMatchObject({ status: 'succeeded', context: { data: { get: { status: 200 } } } })
    const beyond = await runOf(ann, 'beyond service', [get(`http://127.0.0.1:${webPort}/hosts.csv`)])
    expect(beyond.failed_step.message).toMatch(/what is below it only/)
  })

  test('a step may name a connection with a mail server of its own, which is reached through the guard only', async () => {
    const settings = { port: portOf(smtp.server.address()), security: 'none', from: 'team@lab.test' }
    const mail = (connection: string) =>
      action('mail', 'mail.send', { to: ['desk@lab.test'], subject: 's', text: 't' }, { connection: { name: connection } })
    for (const [name, host] of Object.entries({ near: '127.0.0.1', far: '127.0.0.2' }))
      await as(ann, 'connection.create', {
        name,
        plugin_vendor: 'capstan',
        plugin_name: 'mail',
        plugin_version: '1.0.0',
        parameters: { ...settings, host },
      })
    expect((await runOf(ann, 'own server', [mail('near')])).status).toBe('succeeded')
    expect(letters.at(-1)?.text).toMatch(/^From: team@lab\.test/m)
    const far = await runOf(ann, 'guarded', [mail('far')])
    expect(far.failed_step.message).toMatch(/127\.0\.0\.2 may not be called/)
    const joe = await app.person('joe')
    await expect(runOf(joe, 'not theirs', [mail('near')])).rejects.toThrow(/no connection "near" that you may use/)
  })

  test('whoever shall decide gets a letter with the address of the job; who cannot be told is named', async () => {
    const bob = await app.person('bob')
    const { serial } = await app.system('user.get', { user: 'bob' })
    const ask = {
      id: 'ask',
      type: 'human_decision',
      parameters: { stepControlParams: [{ edgeId: 'ask>' }], notifications: { userIdsForEmail: [serial, 999999] } },
    }
    const { id } = await app.system('workflow.create', {
      document: documentOf({ name: 'asks', steps: [trigger, ask], paths: ['start>ask', 'ask>:Yes'] }),
    })
    await app.system('workflow.activate', { workflow: id })
    const { id: job } = await as(ann, 'workflow.run', { workflow: id })
    await until('it waits', async () => (await app.system('job.get', { job })).status === 'waiting')
    const letter = letters.find(({ to }) => to.includes('bob@lab.test'))
    expect(letter?.text).toContain(`/jobs/details/${job}`)
    const row = await app.services.store.reader.steps.one(job, 'ask~notify')
    expect(row?.output).toEqual({ sent: 1, not_sent: [{ user: '999999', why: 'there is no such active user' }] })
    await expect(as(ann, 'workflow.notify', { run: job, step: 'ask', users: [serial] })).rejects.toMatchObject({ code: 'unsupported' })
    await expect(as(bob, 'workflow.notify', { run: job, step: 'ask', users: [serial] })).rejects.toMatchObject({ code: 'not_found' })
  })
})
