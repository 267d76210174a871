import { everyoneId, systemResourceId } from '../kernel/builtin.ts'
import { isFault } from '../kernel/fault.ts'
import { parseNetwork } from '../kernel/network.ts'
import { bareSecret, hashSecret, newApiKey } from '../identity/api-key.ts'
import { noteImportedPasswords } from '../identity/imported-passwords.ts'
import { checkName, emailFor } from '../identity/names.ts'
import { newUser, refuseTaken } from '../identity/user-rules.ts'
import { addRights, grantRows, setGrants } from './grants.ts'
import { bring, changed, commit, nameFor, NotBrought, pretendName, serialFor, write } from './run.ts'
import type { SourceGroup, SourceKey, SourceUser } from '../../ports/import-source.ts'
import type { UserRow } from '../../ports/store/rows.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ImportRun, Item } from './run.ts'

/** What an import decides of, of everyone's system permissions: the rest has no counterpart there. */
const rightsOfEveryone = ['repository.create', 'repository.fork', 'group.create']

/** Brings what holds for callers without credentials and as everybody's floor: once, so that what is changed here later stays. */
async function bringEveryone(run: ImportRun): Promise<void> {
  if (await run.ledger.entry('everyone', 1)) return
  const there = await run.source.everyone()
  const item = { id: 1, name: 'default' }
  const networks = there.networks.filter((network) => parseNetwork(network) !== null)
  if (networks.length < there.networks.length)
    throw new Error('A network of everyone there is none: correct it there first, or the server would be open to all')
  if (!there.active) changed(run, 'everyone', item, 'callers without credentials are kept out here as well')
  if (networks.length > 0) changed(run, 'everyone', item, `everybody may come from ${networks.join(', ')} only, as there`)
  const before = await run.ctx.db.grants.one(systemResourceId, everyoneId)
  const extras = [...(before?.extras ?? []).filter((extra) => !rightsOfEveryone.includes(extra)), ...new Set(there.rights)].sort()
  if (extras.join() !== [...(before?.extras ?? [])].sort().join()) {
    changed(run, 'everyone', item, `every user holds the system permissions that they hold there: ${extras.join(', ') || 'none'}`)
  }
  if (run.options.dryRun) return run.ledger.pretend('everyone', 1, {})
  await write(run, async (inside) => {
    const user = await inside.db.users.byId(everyoneId)
    const patch = { networks: [...new Set([...(user?.networks ?? []), ...networks])], ...(there.active ? {} : { active: false }) }
    await inside.db.users.update(everyoneId, { ...patch, updated_at: inside.clock.now() })
    const row = { resource_id: systemResourceId, subject_id: everyoneId, subject_kind: 'user' as const }
    await inside.db.grants.set({ ...row, level: before?.level ?? 'read', extras, created_at: before?.created_at ?? inside.clock.now() })
    await run.ledger.keep(inside.db, 'everyone', 1, { at: inside.clock.now() })
  })
}

/** Brings the users, with their passwords as they are kept there, their keys, networks and system permissions. */
async function bringUsers(run: ImportRun): Promise<void> {
  for await (const user of run.source.users()) await bring(run, 'user', user, () => bringUser(run, user))
}

async function bringUser(run: ImportRun, from: SourceUser): Promise<void> {
  const name = nameFor(run, 'user', from.name)
  const here = await run.ctx.db.users.byLogin(name)
  if (here && run.options.sameUsers && here.kind === 'user') {
    changed(run, 'user', from, `it is taken for the user "${here.name}" of here, who stays as is`)
    const entry = { id: here.id, serial: here.serial, name: here.name }
    if (run.options.dryRun) return run.ledger.pretend('user', from.id, entry)
    return write(run, (inside) => run.ledger.keep(inside.db, 'user', from.id, entry))
  }
  const again = `Call it something else with --rename user:${from.name}=<name>, or say with --same-users that it is the same person`
  if (here || !pretendName(run, `user:${name.toLowerCase()}`)) throw new NotBrought(`its name is taken here. ${again}`)
  checkName('user name', name)
  const row = newUser(run.ctx, {
    name,
    email: await emailOf(run, from, name),
    first_name: from.first_name,
    last_name: from.last_name,
    administrator: from.administrator,
    password_hash: from.password_hash,
    created_at: from.created_at,
    last_sign_in_at: from.last_sign_in_at,
    ...networksOf(run, from),
  })
  if (from.password_note !== null) changed(run, 'user', from, from.password_note)
  const serial = await serialFor(run, 'user', from, async (wanted) => (await run.ctx.db.users.bySerial(wanted)) !== null)
  const keys = keysOf(run, from)
  await commit(run, 'user', from.id, { id: row.id, serial, name }, async (inside) => {
    await refuseTaken(inside, row)
    const user = await inside.db.users.insert({ ...row, serial })
    if (from.password_hash !== null) await noteImportedPasswords(inside.db, inside.clock.now())
    await insertKeys(run, inside, user, from, keys)
    await addRights(inside, { subject_id: user.id, subject_kind: 'user' }, from.rights)
  })
}

// Without an address a user can do everything but be found by it, so a bad or a taken one does not keep the user back.
async function emailOf(run: ImportRun, from: SourceUser, name: string): Promise<string | null> {
  try {
    const email = emailFor(name, from.email)
    if (email === null || (!(await run.ctx.db.users.byLogin(email)) && pretendName(run, `email:${email}`))) return email
    if (name.includes('@')) throw new NotBrought('its name is the e-mail address of somebody here')
    changed(run, 'user', from, `its e-mail address ${email} is left out: somebody here has it`)
  } catch (error) {
    if (!isFault(error, 'invalid_name')) throw error
    // A name that is an address counts as one, whatever else was said.
    if (name.includes('@') && from.email !== null) return emailOf(run, { ...from, email: null }, name)
    if (name.includes('@')) throw error
    changed(run, 'user', from, `its e-mail address is left out: ${error.message}`)
  }
  return null
}

// Leaving out the one network that cannot be read could let somebody in from anywhere.
function networksOf(run: ImportRun, from: SourceUser): Pick<UserRow, 'networks' | 'active'> {
  const networks = from.networks.filter((network) => parseNetwork(network) !== null)
  const closed = from.networks.length > 0 && networks.length === 0
  if (networks.length < from.networks.length) changed(run, 'user', from, 'a network that it may come from cannot be read and is left out')
  if (closed) changed(run, 'user', from, 'it is not active, because none of its networks could be read')
  return { networks: [...new Set(networks)], active: from.active && !closed }
}

function keysOf(run: ImportRun, from: SourceUser): SourceKey[] {
  const now = run.ctx.clock.now()
  const usable = from.keys.filter(({ secret, expires_at }) => bareSecret(secret) === secret && (expires_at === null || expires_at > now))
  if (usable.length < from.keys.length) {
    changed(
      run,
      'user',
      from,
      `${from.keys.length - usable.length} of its API keys are left out: they have expired, or are not of 40 letters and digits`,
    )
  }
  return usable
}

async function insertKeys(run: ImportRun, ctx: WriteCtx, user: UserRow, item: Item, keys: readonly SourceKey[]): Promise<void> {
  for (const { secret, label, expires_at, created_at } of keys) {
    if (await ctx.db.apiKeys.byHash(hashSecret(secret))) {
      changed(run, 'user', item, 'one of its API keys is left out: it is a key of here already')
      continue
    }
    const { row } = newApiKey(ctx.ids, { userId: user.id, label: label.slice(0, 200), at: created_at, expiresAt: expires_at, secret })
    await ctx.db.apiKeys.insert(row)
  }
}

/** Brings the groups of users, and then the grants on them: a group may be granted something on one that comes later. */
async function bringGroups(run: ImportRun): Promise<void> {
  for await (const group of run.source.groups()) await bring(run, 'group', group, () => bringGroup(run, group))
  for await (const group of run.source.groups()) await grantOnGroup(run, group)
}

async function bringGroup(run: ImportRun, from: SourceGroup): Promise<void> {
  const { ctx } = run
  const name = checkName('group name', nameFor(run, 'group', from.name))
  if ((await ctx.db.resources.byName('group', name)) || !pretendName(run, `group:${name}`)) {
    throw new NotBrought(`its name is taken here. Call it something else with --rename group:${from.name}=<name>`)
  }
  const members: string[] = []
  for (const member of from.members) {
    const user = await run.ledger.find('user', member)
    if (user) members.push(user.id)
  }
  const lost = from.members.length - members.length
  if (lost > 0) changed(run, 'group', from, `${lost} of its members are left out: they are not here`)
  const id = ctx.ids.record()
  const owner_id = await ownerFor(run, 'group', from)
  const serial = await serialFor(run, 'group', from, async (wanted) => (await ctx.db.resources.bySerial('group', wanted)) !== null)
  await commit(run, 'group', from.id, { id, serial, name }, async (inside) => {
    await inside.db.resources.insert({
      ...{ id, kind: 'group', serial, name, owner_id },
      ...{ parent_id: null, private: false, active: from.active, state: '' },
      spec: { description: from.description },
      created_at: from.created_at,
      updated_at: from.created_at,
    })
    for (const member of new Set(members)) await inside.db.members.add(id, member, inside.clock.now())
    await addRights(inside, { subject_id: id, subject_kind: 'group' }, from.rights)
  })
}

async function grantOnGroup(run: ImportRun, from: SourceGroup): Promise<void> {
  const group = await run.ledger.find('group', from.id)
  if (!group || (await run.ledger.entry('group-grants', from.id))) return
  const rows = await grantRows(run, 'group', from, from.grants)
  if (run.options.dryRun) return
  await write(run, async (inside) => {
    await setGrants(inside, group.id, rows)
    await run.ledger.keep(inside.db, 'group-grants', from.id, { grants: rows.length })
  })
}

/** The id of who shall own a thing: its owner there, or nobody. */
async function ownerFor(
  run: ImportRun,
  kind: 'group' | 'repository-group' | 'repository',
  from: Item & { readonly owner: number },
): Promise<string | null> {
  const owner = await run.ledger.find('user', from.owner)
  if (!owner) changed(run, kind, from, 'it has no owner: its owner is not here')
  return owner?.id ?? null
}

export { bringEveryone, bringUsers, bringGroups, ownerFor }
