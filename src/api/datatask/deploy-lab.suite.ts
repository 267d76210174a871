import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createApp } from '../../app.ts'
import { gitOut } from '../../adapters/git/git-lab.suite.ts'
import { createFakeRuntime } from '../../adapters/runtime/fake/runtime.ts'
import { loadConfig } from '../../config/load.ts'
import { principalOf, system } from '../../core/identity/principal.ts'
import { identify } from '../../core/identity/identify.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { silentLog } from '../../core/kernel/log.ts'
import { healthOf } from '../../core/operation/health.ts'
import { invoke } from '../../core/operation/invoke.ts'
import { createHttp } from '../http.ts'
import { datatask } from './index.ts'
import type { InjectOptions } from 'fastify'
import type { Config } from '../../config/load.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Principal } from '../../core/identity/principal.ts'
import type { FakeKnobs, Runtime, Work } from '../../ports/runtime.ts'
import type { UserRow } from '../../ports/store/rows.ts'
import type { TestPostgres } from '../../../test/support/postgres.ts'

export type Tree = Readonly<Record<string, string | object | Uint8Array>>

export type DeployLab = Awaited<ReturnType<typeof openDeployLab>>

export type Person = { readonly principal: Principal; readonly key: string; readonly id: string }

export type LabOptions = {
  readonly config?: Partial<Config>
  readonly knobs?: FakeKnobs
  readonly clock?: Clock
  readonly folder?: string
  /** The address of the database of a folder; without it the records are in the folder. */
  readonly database?: (folder: string) => Promise<string>
}

/** How a suite opens its labs: each suite runs over both stores. */
export type Labs = { readonly store: string; readonly open: (options?: LabOptions) => Promise<DeployLab> }

/** Labs whose records are in their folder. */
export const onSqlite: Labs = { store: 'SQLite', open: (options) => openDeployLab(options) }

/** Labs over databases of one PostgreSQL. Labs of one folder share a database, as servers of one data folder do. */
export function onPostgres(postgres: TestPostgres): Labs {
  const urls = new Map<string, Promise<string>>()
  const database = (folder: string) => {
    const url = urls.get(folder) ?? postgres.database()
    urls.set(folder, url)
    return url
  }
  return { store: 'PostgreSQL', open: (options) => openDeployLab({ ...options, database }) }
}

/** The whole server over a real store and real git in a folder of its own, with the Deploy API in front. Tasks run on the fake runtime unless `config` says else. */
export async function openDeployLab(options: LabOptions = {}) {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'capstan-deploy-')))
  const environment = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false' }
  const stored = options.database && { databaseUrl: await options.database(folder) }
  const config = { ...(await loadConfig({ folder, environment })), defaultRuntime: 'fake', ...stored, ...options.config }
  const fake = createFakeRuntime({ clock: systemClock, ...(options.knobs && { knobs: options.knobs }) })
  const seen: { started: Work[]; stopped: { name: string; graceMs: number }[]; unavailable: string | null } = {
    started: [],
    stopped: [],
    unavailable: null,
  }
  const watched: Runtime = {
    ...fake,
    unavailable: async () => seen.unavailable,
    start(work) {
      seen.started.push(work)
      return fake.start(work)
    },
    stop(handle, patience) {
      seen.stopped.push({ name: handle.name, graceMs: patience.graceMs })
      return fake.stop(handle, patience)
    },
  }
  const app = await createApp(config, { log: silentLog, runtimes: [watched], ...(options.clock && { clock: options.clock }) })
  const { services } = app
  await app.listen()
  const http = await createHttp({
    config,
    services,
    apis: [datatask],
    health: healthOf(services),
    identify: (credential, origin) => identify(services, credential, origin),
    stream: () => Promise.reject(new Error('no streams here')),
  })
  const origin = { via: 'test', peer: '127.0.0.1', requestId: 'test' }
  const as = <T = Record<string, unknown>>(principal: Principal, operation: string, input: unknown) =>
    invoke<T>(services, { principal, origin }, operation, input)

  const lab = {
    folder,
    services,
    http,
    as,
    /** What the fake runtime was asked to start, and to stop; and why it can do neither, for a test to say. */
    runtime: seen,
    system: <T = Record<string, unknown>>(operation: string, input: unknown) => as<T>(system, operation, input),

    /** A user with an API key. */
    async person(name: string, more: Record<string, unknown> = {}): Promise<Person> {
      const { id } = await lab.system<{ id: string }>('user.create', { name, email: `${name}@lab.test`, password: `a long ${name} phrase`, ...more })
      const row = (await services.store.reader.users.byId(id)) as UserRow
      const { secret } = await lab.system<{ secret: string }>('api-key.create', { label: 'test', user: name })
      return { principal: principalOf(row, 'api-key', null), key: secret, id }
    },

    /** Makes a repository whose branch holds just these files. */
    async repository(path: string, tree: Tree, more: { owner?: Principal; branch?: string; private?: boolean } = {}) {
      const made = await as<{ id: string }>(more.owner ?? system, 'repository.create', { path, private: more.private ?? true })
      await lab.push(made.id, tree, more.branch ?? 'master')
      return { id: made.id, push: (next: Tree, branch = more.branch ?? 'master') => lab.push(made.id, next, branch) }
    },

    /** Replaces a branch of a repository by one commit with these files. Gives the commit. */
    async push(id: string, tree: Tree, branch: string): Promise<string> {
      const work = await mkdtemp(join(folder, 'push-'))
      for (const [path, content] of Object.entries(tree)) {
        await mkdir(dirname(join(work, path)), { recursive: true })
        await writeFile(join(work, path), typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content))
      }
      await gitOut(work, ['init', '-q', '-b', branch])
      await gitOut(work, ['add', '-A'])
      await gitOut(work, ['commit', '-q', '-m', 'files'])
      await gitOut(work, ['push', '-q', '-f', join(folder, 'data', 'repositories', `${id}.git`), `HEAD:refs/heads/${branch}`])
      return gitOut(work, ['rev-parse', 'HEAD'])
    },

    /** One request as somebody, or as nobody. */
    async request(who: Person | null, method: string, url: string, more: Omit<InjectOptions, 'method' | 'url'> = {}): Promise<Answer> {
      const headers = { ...(who && { authorization: `Bearer ${who.key}` }), ...more.headers }
      // The type of the library knows the usual methods only.
      const answer = await http.inject({ ...more, method: method as 'GET', url, headers })
      return { status: answer.statusCode, headers: answer.headers, text: answer.body, json: jsonOf(answer.body) }
    },
    get: (who: Person | null, url: string, more: Omit<InjectOptions, 'method' | 'url'> = {}) => lab.request(who, 'GET', url, more),
    /** A POST of a form. */
    post: (who: Person | null, url: string, fields: Record<string, string> = {}) =>
      lab.request(who, 'POST', url, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams(fields).toString(),
      }),

    /** The state of a task or pipeline once it has one of these states. */
    until: (url: string, states: readonly string[], who: Person | null = null) =>
      lab.when(url, ({ state }) => states.includes(String(state)), `${states.join(' or ')}`, who),

    /** What an address answers once it fulfils a condition. */
    async when(
      url: string,
      condition: (json: Record<string, unknown>) => boolean,
      what: string,
      who: Person | null = null,
    ): Promise<Record<string, unknown>> {
      const end = Date.now() + 10_000
      for (;;) {
        const { json } = await lab.get(who, url)
        if (condition(json)) return json
        if (Date.now() > end) throw new Error(`Waited for ${what}: ${JSON.stringify(json)}`)
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
    },

    /** Stops the server; `folder` starts it again. */
    async stop() {
      await http.close()
      await app.close()
    },
    async close() {
      await endInstances()
      await lab.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  return lab

  // Instances outlive their server, as they should; what a test started must not outlive the test.
  async function endInstances(): Promise<void> {
    const { items } = await lab.system<{ items: { namespace: string; name: string; type: string }[] }>('task.list', {
      type: 'deployment',
      limit: 1000,
    })
    for (const { namespace, name, type } of items) await lab.system('task.delete', { namespace, name, type })
    const end = Date.now() + 15_000
    const active = () => services.store.reader.runs.page({ kinds: ['replica'], active: true }, null, 'name', { limit: 1, after: null })
    while ((await active()).items.length > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
  /** Any JSON: tests look into it as they need. */
  readonly json: Record<string, unknown> & { error?: { code: string; message: string; details: Record<string, unknown>; request_id: string } }
}

function jsonOf(text: string): Answer['json'] {
  try {
    return JSON.parse(text) as Answer['json']
  } catch {
    return {}
  }
}

/** A job that needs no image. */
export const job = { type: 'job', name: 'fetch', cmd: ['/bin/sh', '/code/run.sh'] }
