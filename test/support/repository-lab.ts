import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGit } from '../../src/adapters/git/cli.ts'
import { createHg } from '../../src/adapters/hg/adapter.ts'
import { createEgress } from '../../src/adapters/egress/egress.ts'
import { createOutbound } from '../../src/adapters/egress/outbound.ts'
import { createEgressProxy } from '../../src/adapters/egress/proxy.ts'
import { createSecretBox } from '../../src/adapters/secret-box/secret-box.ts'
import { createPasswordHasher } from '../../src/adapters/password/password.ts'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { createGitHttp } from '../../src/api/git-http/index.ts'
import { createHgHttp } from '../../src/api/hg-http/index.ts'
import { createHttp, listenHttp } from '../../src/api/http.ts'
import { RefusalLog } from '../../src/core/audit/refusal-log.ts'
import { defaultSystemPermissions } from '../../src/core/access/system.ts'
import { everyoneId, everyoneName, systemResourceId } from '../../src/core/kernel/builtin.ts'
import { identify } from '../../src/core/identity/identify.ts'
import { anonymous, principalOf } from '../../src/core/identity/principal.ts'
import { ProofCache } from '../../src/core/identity/proof-cache.ts'
import { SignInGuard } from '../../src/core/identity/sign-in-guard.ts'
import { isFault } from '../../src/core/kernel/fault.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { systemIds } from '../../src/core/kernel/id.ts'
import { EventHub } from '../../src/core/notify/event-hub.ts'
import { invoke } from '../../src/core/operation/invoke.ts'
import { createRegistry } from '../../src/core/operation/registry.ts'
import { repositoryGroupOperations, repositoryOperations } from '../../src/core/repository/operations.ts'
import type { GitHttpOptions } from '../../src/api/git-http/routes.ts'
import type { Level } from '../../src/core/kernel/level.ts'
import type { Principal } from '../../src/core/identity/principal.ts'
import type { Fault } from '../../src/core/kernel/fault.ts'
import type { LogFields } from '../../src/core/kernel/log.ts'
import type { AnyOperation } from '../../src/core/operation/operation.ts'
import type { Services } from '../../src/core/operation/services.ts'
import type { RepositoryView } from '../../src/core/repository/view.ts'
import type { UserRow } from '../../src/ports/store/rows.ts'

export type RepositoryLab = Awaited<ReturnType<typeof openRepositoryLab>>

const origin = { via: 'test', peer: '127.0.0.1', requestId: 'test' }

/** Repositories over a real store and real git, in a folder of their own: what `createApp` builds, without runs. */
export async function openRepositoryLab(further: readonly AnyOperation[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-repositories-'))
  const logged: { level: string; event: string; fields: LogFields }[] = []
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void logged.push({ level, event, fields })
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const clock = systemClock
  const ids = systemIds
  const store = await openSqliteStore({ folder, log, clock })
  const git = createGit({ root: join(folder, 'repositories'), log, clock })
  const hg = await createHg({ root: join(folder, 'repositories'), log, clock })
  const stopping = new AbortController()
  const refusals = new RefusalLog({ store, clock, ids, log })
  // Of this machine 127.0.0.1 may be called and nothing else; `inner.test` is on it and may not, every other name is 127.0.0.1.
  const egress = createEgress({ allow: ['127.0.0.1/32'], lookup: async (name) => [{ address: name === 'inner.test' ? '127.0.0.2' : '127.0.0.1' }] })
  const egressProxy = createEgressProxy({ egress, log })
  const services = {
    settings: {
      publicUrl: 'http://capstan.test',
      gitTimeoutMs: 15_000,
      reservedSegments: new Set(['api', 'v1', 'healthz']),
      trustedIdentityPeers: [],
    },
    registry: createRegistry([...repositoryOperations, ...repositoryGroupOperations, ...further]),
    clock,
    ids,
    log,
    store,
    git,
    hg,
    passwords: createPasswordHasher(),
    secretBox: createSecretBox({ folder: join(folder, 'keys') }),
    egress,
    egressProxy,
    outbound: createOutbound({ egress }),
    tokens: { sign: () => '', verify: () => null },
    events: new EventHub('lab'),
    refusals,
    signInGuard: new SignInGuard({ clock }),
    proofs: new ProofCache({ clock }),
    stopping: stopping.signal,
  } as unknown as Services // what repositories never touch (engine, runtimes, secrets) is not there
  await firstRows()
  const root = await user('root', { administrator: true })
  let http: Awaited<ReturnType<typeof createHttp>> | null = null

  async function firstRows(): Promise<void> {
    const now = clock.now()
    await store.write(async (tables) => {
      // Whether the store makes these itself is its own affair.
      if (!(await tables.users.byId(everyoneId))) await tables.users.insert(userRow(everyoneId, everyoneName, { kind: 'builtin' }))
      if (!(await tables.resources.byId(systemResourceId))) {
        await tables.resources.insert({
          id: systemResourceId,
          kind: 'system',
          name: 'system',
          owner_id: null,
          parent_id: null,
          private: false,
          active: true,
          state: 'ready',
          spec: {},
          created_at: now,
          updated_at: now,
        })
      }
      const extras = [...defaultSystemPermissions]
      await tables.grants.set({ resource_id: systemResourceId, subject_id: everyoneId, subject_kind: 'user', level: 'none', extras, created_at: now })
    })
  }

  function userRow(id: string, name: string, more: Partial<UserRow>): Omit<UserRow, 'serial'> {
    const now = clock.now()
    return {
      id,
      name,
      email: null,
      first_name: '',
      last_name: '',
      company_title: '',
      kind: 'user',
      administrator: false,
      active: true,
      pending: false,
      password_hash: null,
      organisation: '',
      networks: [],
      created_at: now,
      updated_at: now,
      last_sign_in_at: null,
      ...more,
    }
  }

  /** A user whose password is `pw-<name>` and whose address is `<name>@lab.test`. */
  async function user(name: string, more: Partial<UserRow> = {}): Promise<Principal> {
    const password_hash = await services.passwords.hash(`pw-${name}`)
    const row = await store.write((tables) => tables.users.insert(userRow(ids.record(), name, { email: `${name}@lab.test`, password_hash, ...more })))
    return principalOf(row, 'password', null)
  }

  /** Gives a principal (everyone: `anonymous`) a level on a repository or group. */
  async function grant(to: Principal, kind: 'repository' | 'repository-group', path: string, level: Level): Promise<void> {
    await store.write(async (tables) => {
      const resource = await tables.resources.byName(kind, path)
      if (!resource) throw new Error(`There is no ${kind} ${path}`)
      await tables.grants.set({ resource_id: resource.id, subject_id: to.id, subject_kind: 'user', level, extras: [], created_at: clock.now() })
    })
  }

  const call = <T = unknown>(principal: Principal, operation: string, input: unknown) => invoke<T>(services, { principal, origin }, operation, input)

  return {
    folder,
    services,
    store,
    git,
    hg,
    logged,
    root,
    anonymous,
    user,
    grant,
    call,
    as: <T = Record<string, unknown>>(operation: string, input: unknown) => call<T>(root, operation, input),
    make: (path: string, more: object = {}) => call<RepositoryView>(root, 'repository.create', { path, ...more }),
    group: (path: string, more: object = {}) =>
      call<{ id: string; serial: number; path: string }>(root, 'repository-group.create', { path, ...more }),
    /** The fault that a call ends with. */
    async refused(principal: Principal, operation: string, input: unknown): Promise<Fault> {
      const output = await call(principal, operation, input).catch((error: unknown) => error)
      if (isFault(output)) return output
      throw new Error(`${operation} was not refused: ${JSON.stringify(output)}`)
    },
    /** Serves git over loopback; gives the port. */
    async serve(options: Partial<GitHttpOptions> = {}): Promise<number> {
      http = await createHttp({
        config: { trustedProxies: [], bodyLimitBytes: 1024 * 1024 },
        services,
        apis: [createGitHttp(options), createHgHttp(options)],
        health: { ready: async () => ({ ready: true, checks: {} }) } as never,
        identify: (credential, from) => identify(services, credential, from),
        stream: () => Promise.reject(new Error('No streams here')),
      })
      return listenHttp(http, { host: '127.0.0.1', port: 0 })
    },
    stop: () => stopping.abort(new Error('The server stops')),
    async close(): Promise<void> {
      await http?.close()
      await egressProxy.close()
      await git.close()
      await hg.close()
      await refusals.flush()
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
