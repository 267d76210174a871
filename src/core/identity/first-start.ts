import { fault } from '../kernel/fault.ts'
import { defaultSystemPermissions } from '../access/system.ts'
import { bareSecret, hashSecret, newApiKey } from './api-key.ts'
import { everyoneId, everyoneName, systemResourceId } from '../kernel/builtin.ts'
import { checkName, checkPassword, emailFor } from './names.ts'
import { system } from './principal.ts'
import { newUser } from './user-rules.ts'
import type { Services } from '../operation/services.ts'
import type { AuditRow, UserRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** The first administrator as the configuration names it. */
type ConfiguredAdministrator = {
  readonly name: string
  readonly password?: string | null
  readonly email?: string | null
  /** 40 letters and digits. */
  readonly apiKey?: string | null
}

const settingKey = 'bootstrap'

/**
 * Makes what every installation begins with, as far as it is not there: the built-in user, the system resource with everyone's default permissions, and
 * the configured administrator. Gives the one-time token for the first administrator while there is none: a new one at each start, of which only the
 * hash is stored. Changing the configuration later changes no account.
 */
async function ensureFirstStart(
  services: Services,
  options: { readonly admin: ConfiguredAdministrator | null },
): Promise<{ bootstrapToken: string | null }> {
  const admin = options.admin && (await preparedAdministrator(services, options.admin))
  const token = services.ids.letters(40)
  return services.store.write(async (tables) => {
    await ensureBuiltin(services, tables)
    if (admin && !(await tables.users.byLogin(admin.row.name))) await insertAdministrator(services, tables, admin)
    if ((await tables.users.administrators()) > 0) {
      await tables.settings.remove(settingKey)
      return { bootstrapToken: null }
    }
    await tables.settings.set(settingKey, { token_hash: hashSecret(token), created_at: services.clock.now() })
    return { bootstrapToken: token }
  })
}

/** Whether a bootstrap token is the one of this start and no administrator has come meanwhile. */
async function mayBootstrap(tables: Tables, token: string): Promise<boolean> {
  const stored = await tables.settings.get(settingKey)
  // Both sides are hashes: what a comparison could tell by its time is nothing that anybody can use.
  return stored !== null && stored.token_hash === hashSecret(token) && (await tables.users.administrators()) === 0
}

/** Ends the bootstrap token. */
async function endBootstrap(tables: Tables): Promise<void> {
  await tables.settings.remove(settingKey)
}

type Prepared = { readonly row: Omit<UserRow, 'serial'>; readonly apiKey: string | null }

// Hashed outside of the transaction, and only when there is no such user yet: not at each start.
async function preparedAdministrator(services: Services, admin: ConfiguredAdministrator): Promise<Prepared | null> {
  const name = checkName('user name', admin.name)
  if (await services.store.reader.users.byLogin(name)) return null
  const email = emailFor(name, admin.email)
  if (admin.password) checkPassword(admin.password, { name, email })
  const apiKey = admin.apiKey ? bareSecret(admin.apiKey) : null
  if (admin.apiKey && !apiKey) throw fault('invalid_name', { what: 'API key', name: '***', why: 'it is not 40 letters and digits' })
  const password_hash = admin.password ? await services.passwords.hash(admin.password) : null
  return { row: newUser(services, { name, email, password_hash, administrator: true }), apiKey }
}

async function insertAdministrator(services: Services, tables: Tables, { row, apiKey }: Prepared): Promise<void> {
  const user = await tables.users.insert(row)
  await tables.audit.append([line(services, 'user.create', user)])
  if (apiKey === null) return
  const key = newApiKey(services.ids, { userId: user.id, label: 'first start', at: services.clock.now(), expiresAt: null, secret: apiKey })
  await tables.apiKeys.insert(key.row)
  await tables.audit.append([line(services, 'api-key.create', user)])
}

async function ensureBuiltin(services: Services, tables: Tables): Promise<void> {
  const now = services.clock.now()
  if (!(await tables.users.byId(everyoneId))) {
    await tables.users.insert({ ...newUser(services, { name: everyoneName, kind: 'builtin' }), id: everyoneId, serial: 1 })
  }
  if (await tables.resources.byId(systemResourceId)) return
  await tables.resources.insert({
    id: systemResourceId,
    kind: 'system',
    name: 'system',
    owner_id: null,
    parent_id: null,
    private: false,
    active: true,
    state: 'builtin',
    spec: {},
    created_at: now,
    updated_at: now,
  })
  await tables.grants.set({
    resource_id: systemResourceId,
    subject_id: everyoneId,
    subject_kind: 'user',
    level: 'read',
    extras: [...defaultSystemPermissions],
    created_at: now,
  })
}

function line(services: Services, operation: string, user: UserRow): AuditRow {
  return {
    id: services.ids.record(),
    at: services.clock.now(),
    actor_id: system.id,
    actor: system.name,
    operation,
    subject: `user:${user.name}`,
    subject_id: user.id,
    outcome: 'succeeded',
    via: 'start',
    peer: '',
    credential: system.credential,
    request_id: '',
    intent_id: null,
    detail: {},
  }
}

export type { ConfiguredAdministrator }
export { ensureFirstStart, mayBootstrap, endBootstrap }
