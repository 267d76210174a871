import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../adapters/store/sqlite/store.ts'
import { RefusalLog } from '../core/audit/refusal-log.ts'
import { anonymous } from '../core/identity/principal.ts'
import { systemClock } from '../core/kernel/clock.ts'
import { fault } from '../core/kernel/fault.ts'
import { systemIds } from '../core/kernel/id.ts'
import { Closed, PageOf, Type, listMembers } from '../core/kernel/schema.ts'
import { EventHub } from '../core/notify/event-hub.ts'
import { defineOperation } from '../core/operation/operation.ts'
import { createRegistry } from '../core/operation/registry.ts'
import { createHttp, listenHttp } from './http.ts'
import { apis } from './index.ts'
import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/load.ts'
import type { Principal } from '../core/identity/principal.ts'
import type { AnyOperation } from '../core/operation/operation.ts'
import type { Call } from '../core/operation/invoke.ts'
import type { Services } from '../core/operation/services.ts'
import type { Api } from './api.ts'

const Thing = Closed({ id: Type.String(), name: Type.String(), state: Type.String(), tags: Type.Array(Type.String()), private: Type.Boolean() })
const thing = { id: '1', name: 'first', state: 'ready', tags: ['a'], private: true }

/** What a test may say and see: a few operations of every shape. */
export const labOperations: readonly AnyOperation[] = [
  defineOperation({
    name: 'session.create',
    summary: 'A session for somebody with the right password.',
    input: Closed({ login: Type.String(), password: Type.String() }),
    output: Closed({ token: Type.String(), expires_at: Type.String(), user: Type.String() }),
    access: 'anyone',
    subjects: {},
    example: { login: 'ann', password: 'secret' },
    secretMembers: ['password'],
    effect: 'read',
    audit: 'none',
    async run(_ctx, { login, password }) {
      if (password !== 'right') throw fault('invalid_credential')
      return { token: `token-of-${login}`, expires_at: new Date(Date.now() + 3_600_000).toISOString(), user: login }
    },
  }),
  defineOperation({
    name: 'session.delete',
    summary: 'The end of the session that was used.',
    input: Closed({}),
    output: Closed({}),
    access: 'signed-in',
    subjects: {},
    example: {},
    effect: 'read',
    audit: 'none',
    run: async () => ({}),
  }),
  defineOperation({
    name: 'thing.create',
    summary: 'A new thing.',
    description: 'Things are made for tests.',
    input: Closed({
      name: Type.String({ minLength: 1, description: 'How it is called.' }),
      state: Type.Optional(Type.Unsafe<'ready' | 'broken'>({ type: 'string', enum: ['ready', 'broken'] })),
      tags: Type.Optional(Type.Array(Type.String(), { description: 'Words.' })),
      private: Type.Optional(Type.Boolean()),
      count: Type.Optional(Type.Integer({ minimum: 0 })),
      note: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      spec: Type.Optional(Type.Object({}, { additionalProperties: true })),
      server: Type.Optional(Type.String()),
      password: Type.Optional(Type.String()),
    }),
    output: Thing,
    access: 'signed-in',
    subjects: {},
    example: { name: 'first', tags: ['a', 'b c'], private: false, spec: { a: 1 }, password: 'x' },
    secretMembers: ['password'],
    effect: 'write',
    audit: { subject: ({ name }) => `thing:${name}` },
    run: async (_ctx, { name, tags, private: hidden }) => ({ ...thing, name, tags: tags ?? [], private: hidden ?? true, leaked: 'never' }),
  }),
  defineOperation({
    name: 'thing.list',
    summary: 'Things, page by page.',
    input: Closed({ ...listMembers }),
    output: PageOf(Thing),
    access: 'anyone',
    subjects: {},
    example: { limit: 10 },
    effect: 'read',
    audit: 'none',
    run: async () => ({ items: [thing, { ...thing, id: '2', name: 'second\u001b[2J' }], next: 'more' }),
  }),
  defineOperation({
    name: 'thing.break',
    summary: 'A defect, for tests of defects.',
    input: Closed({ code: Type.Optional(Type.String()) }),
    output: Closed({}),
    access: 'anyone',
    subjects: {},
    example: {},
    effect: 'read',
    audit: 'none',
    async run(_ctx, { code }) {
      if (code === 'overloaded') throw fault('overloaded', { what: 'tests', seconds: 3 }, { retryAfterMs: 2500 })
      throw new Error('the password is hunter2')
    },
  }),
  defineOperation({
    name: 'thing.refuse',
    summary: 'Something for administrators.',
    input: Closed({}),
    output: Closed({}),
    access: 'administrator',
    subjects: {},
    example: {},
    effect: 'read',
    audit: 'none',
    run: async () => ({}),
  }),
  defineOperation({
    name: 'user.list',
    summary: 'Users, page by page.',
    input: Closed({ ...listMembers }),
    output: PageOf(Thing),
    access: 'signed-in',
    subjects: {},
    example: {},
    effect: 'read',
    audit: 'none',
    run: async () => ({ items: [], next: null }),
  }),
  defineOperation({
    name: 'caller.get',
    summary: 'Who calls, and from where.',
    input: Closed({}),
    output: Closed({ name: Type.String(), peer: Type.String(), request_id: Type.String(), credential: Type.String() }),
    access: 'anyone',
    subjects: {},
    example: {},
    effect: 'read',
    audit: 'none',
    run: async ({ principal, origin }) => ({
      name: principal.name,
      peer: origin.peer,
      request_id: origin.requestId,
      credential: principal.credential,
    }),
  }),
]

export type Lab = {
  readonly url: string
  readonly port: number
  readonly http: FastifyInstance
  readonly logged: { level: string; event: string; fields: unknown }[]
  /** Hands an item to whoever follows the stream of that name. */
  follow(stream: string, open: (call: Call, input: unknown) => AsyncIterable<unknown>): void
  /** Sends bytes as they are and gives what comes back until the server ends the connection (or `until` is seen). */
  raw(bytes: string | readonly string[], until?: RegExp): Promise<string>
  post(operation: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  close(): Promise<void>
}

export type LabOptions = {
  readonly config?: Partial<Pick<Config, 'trustedProxies' | 'bodyLimitBytes'>>
  readonly settings?: Partial<Services['settings']>
  readonly apis?: readonly Api[]
  readonly ready?: boolean
}

/** A server with the operations above, on loopback, over a real store. `token-of-<name>` is the token of that user; `root` is administrator. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'http-lab-'))
  const logged: Lab['logged'] = []
  const note = (level: string) => (event: string, fields?: unknown) => void logged.push({ level, event, fields })
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const clock = systemClock
  const store = await openSqliteStore({ folder, log, clock })
  const refusals = new RefusalLog({ store, clock, ids: systemIds, log })
  const streams = new Map<string, (call: Call, input: unknown) => AsyncIterable<unknown>>()
  const settings = { publicUrl: 'http://127.0.0.1:9120', allowedOrigins: [], defaultRuntime: 'process', ...options.settings }
  const stopping = new AbortController()
  // Only what the HTTP host and these operations reach is built.
  const services = {
    settings,
    registry: createRegistry(labOperations),
    clock,
    ids: systemIds,
    log,
    store,
    refusals,
    events: new EventHub('lab'),
    runtimes: new Map(),
    stopping: stopping.signal,
  } as unknown as Services
  const http = await createHttp({
    config: { trustedProxies: [], bodyLimitBytes: 1024 * 1024, ...options.config },
    services,
    apis: options.apis ?? apis,
    health: {
      readiness: async () => ({ ready: options.ready ?? true, checks: { store: options.ready ?? true } }),
      gauges: async () => [{ name: 'capstan_runs', help: 'Runs.', labels: { kind: 'task', state: 'running' }, value: 3 }],
    },
    identify: async (credential) => principalOf(credential.form === 'none' ? null : 'token' in credential ? credential.token : ''),
    stream: async (call, name, input) => {
      const open = streams.get(name)
      if (!open) throw fault('unauthenticated')
      return open(call, input)
    },
  })
  const port = await listenHttp(http, { host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    port,
    http,
    logged,
    follow: (stream, open) => void streams.set(stream, open),
    raw: (bytes, until) => exchange(port, [bytes].flat(), until),
    post: (operation, body, headers = {}) =>
      fetch(`${url}/api/v1/${operation}`, {
        method: 'POST',
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      }),
    async close() {
      stopping.abort(new Error('The lab closes'))
      await http.close()
      await refusals.flush()
      await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function principalOf(token: string | null): Principal {
  if (token === null) return anonymous
  const name = /^token-of-(\w+)$/.exec(token)?.[1]
  if (!name) throw fault('invalid_credential')
  return { ...anonymous, kind: 'user', id: systemIds.record(), name, administrator: name === 'root', credential: 'bearer' }
}

function exchange(port: number, parts: readonly string[], until?: RegExp): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', async () => {
      for (const part of parts) {
        if (!socket.writable) break
        socket.write(part)
        await new Promise((next) => setImmediate(next))
      }
    })
    const done = () => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(5000, done)
    socket.on('data', (bytes) => {
      text += bytes
      if (until?.test(text)) done()
    })
    socket.on('error', done)
    socket.on('close', done)
  })
}
