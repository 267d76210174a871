import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFakeRuntime } from '../../src/adapters/runtime/fake/runtime.ts'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/load.ts'
import { principalOf, system } from '../../src/core/identity/principal.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { invoke } from '../../src/core/operation/invoke.ts'
import { clientOf } from './client.ts'
import type { Config } from '../../src/config/load.ts'
import type { LogFields } from '../../src/core/kernel/log.ts'
import type { Principal } from '../../src/core/identity/principal.ts'
import type { UserRow } from '../../src/ports/store/rows.ts'
import type { FakeKnobs } from '../../src/ports/runtime.ts'
import type { Client, Recorder } from './client.ts'

/** Somebody with an account and an API key. */
export type Person = Client & { readonly name: string; readonly id: string; readonly principal: Principal }

export type TestApp = Awaited<ReturnType<typeof openApp>>

/** The whole server in this process, listening on loopback, with every API. Its work runs on the `fake` runtime unless `config` says else. */
export async function openApp(options: { config?: Partial<Config>; knobs?: FakeKnobs; record?: Recorder } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-app-'))
  const environment = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false' }
  const config = { ...(await loadConfig({ folder, environment })), defaultRuntime: 'fake', ...options.config }
  const logged: { level: string; event: string; fields: LogFields }[] = []
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}) =>
      void logged.push({ level, event, fields })
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const fake = createFakeRuntime({ clock: systemClock, ...(options.knobs && { knobs: options.knobs }) })
  const app = await createApp(config, { log, runtimes: [fake] })
  const { services } = app
  const { address } = await app.listen()
  const origin = { via: 'test', peer: '127.0.0.1', requestId: 'test' }
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of outputs as scripts of operators do
  const system_ = (operation: string, input: unknown = {}): Promise<any> => invoke(services, { principal: system, origin }, operation, input)

  return {
    url: address,
    folder,
    services,
    logged,
    bootstrapToken: app.bootstrapToken,
    /** An operation as the server itself, to make what a test is about. */
    system: system_,
    nobody: clientOf(address, null, options.record),
    async person(name: string, more: Record<string, unknown> = {}): Promise<Person> {
      const { id } = await system_('user.create', { name, email: `${name}@lab.test`, ...more })
      const { secret } = await system_('api-key.create', { label: 'test', user: name })
      const row = (await services.store.reader.users.byId(id)) as UserRow // just made
      return { ...clientOf(address, secret, options.record), name, id, principal: principalOf(row, 'api-key', null) }
    },
    async close() {
      await app.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
