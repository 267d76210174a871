import { readableBySerial, readablePage } from '../../access/held.ts'
import { fault } from '../../kernel/fault.ts'
import { viewPage } from '../../kernel/page.ts'
import { Closed, listMembers, PageOf, Type } from '../../kernel/schema.ts'
import { defineOperation, subject } from '../../operation/operation.ts'
import { refuseWhileUsed } from '../active-uses.ts'
import { isJsonObject } from '../document/members.ts'
import { testConnection } from './test-connection.ts'
import { connectionKey, connectionSpecOf } from './spec.ts'
import { changeConnection, insertConnection } from './store.ts'
import { usersOfConnection } from './uses.ts'
import { Connection, viewConnection } from './view.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Ctx } from '../../operation/context.ts'
import type { AnyOperation } from '../../operation/operation.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

const connectionMember = Type.String({ maxLength: 300, description: 'Id or name of the connection.' })
const nameMember = Type.String({ maxLength: 300 })
const partMember = Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9_.+-]+$' })
const parametersMember = Type.Unknown({ description: "An object, as the plugin's spec describes its connection." })
const example = { connection: 'Ticket system' }
const onConnection = {
  subject: (input: { connection: string }, output?: { name?: string }) => `connection:${output?.name ?? input.connection}`,
  subjectId: (_: unknown, output?: { id?: string }) => output?.id ?? null,
}

const create = defineOperation({
  name: 'connection.create',
  summary: 'Stores the settings with which a plugin is called, and gives them without their secrets.',
  description: 'Who makes it owns it; others need *execute* on it to use it in their workflows.',
  input: Closed({
    name: nameMember,
    plugin_vendor: partMember,
    plugin_name: partMember,
    plugin_version: partMember,
    parameters: Type.Optional(parametersMember),
  }),
  output: Connection,
  access: { system: 'connection.modify' },
  subjects: {},
  effect: 'write',
  secretMembers: ['parameters'],
  audit: {
    subject: (input) => `connection:${input.name}`,
    subjectId: (_, output) => output?.id ?? null,
    detail: ({ plugin_vendor, plugin_name, plugin_version }) => ({ plugin: `${plugin_vendor}/${plugin_name} ${plugin_version}` }),
  },
  example: {
    name: 'Ticket system',
    plugin_vendor: 'example',
    plugin_name: 'tickets',
    plugin_version: '1.0.0',
    parameters: { url: 'https://tickets.example.org' },
  },
  async run(ctx, input) {
    const { name, plugin_vendor, plugin_name, plugin_version } = input
    const row = await insertConnection(ctx, name, { plugin_vendor, plugin_name, plugin_version }, objectOf(input.parameters))
    tell(ctx, row, 'created')
    return viewConnection(row)
  },
})

const list = defineOperation({
  name: 'connection.list',
  summary: 'Lists the connections that the caller may see, by name, without their secrets.',
  input: Closed({
    serial: Type.Optional(Type.Integer({ minimum: 1, description: 'Only the one of this number.' })),
    search: Type.Optional(Type.String({ maxLength: 200 })),
    ...listMembers,
  }),
  output: PageOf(Connection),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  async run(ctx, input) {
    if (input.serial !== undefined) {
      const row = await readableBySerial(ctx, 'connection', input.serial)
      return { items: row ? [viewConnection(row)] : [], next: null }
    }
    const filter = { kind: 'connection', ...(input.search ? { search: input.search } : {}) } as const
    return viewPage(readablePage(ctx, filter, input), (rows) => rows.map(viewConnection))
  },
})

const get = defineOperation({
  name: 'connection.get',
  summary: 'One connection, without its secrets.',
  input: Closed({ connection: connectionMember }),
  output: Connection,
  access: 'signed-in',
  subjects: { connection: subject('connection', 'read', 'connection') },
  effect: 'read',
  audit: 'none',
  example,
  run: (_, __, { connection }) => Promise.resolve(viewConnection(connection.row)),
})

const update = defineOperation({
  name: 'connection.update',
  summary: 'Changes a connection and gives it without its secrets.',
  description:
    'A secret that is sent as `********` stays as it is, but only if no other parameter has changed: otherwise a stored key could be sent to a new host.',
  input: Closed({
    connection: connectionMember,
    name: Type.Optional(nameMember),
    plugin_vendor: Type.Optional(Type.String({ maxLength: 100, description: 'As it is: a connection stays one of its plugin.' })),
    plugin_name: Type.Optional(Type.String({ maxLength: 100, description: 'As it is.' })),
    plugin_version: Type.Optional(partMember),
    parameters: Type.Optional(parametersMember),
  }),
  output: Connection,
  access: { system: 'connection.modify' },
  subjects: { connection: subject('connection', 'write', 'connection') },
  effect: 'write',
  secretMembers: ['parameters'],
  audit: {
    ...onConnection,
    detail: ({ name, plugin_version, parameters }) => ({
      ...(name === undefined ? {} : { name }),
      ...(plugin_version === undefined ? {} : { plugin_version }),
      ...(parameters === undefined ? {} : { parameters: 'sent' }),
    }),
  },
  example: { ...example, name: 'Tickets' },
  async run(ctx, input, { connection }) {
    const parameters = input.parameters === undefined ? undefined : objectOf(input.parameters)
    refuseOtherPlugin(connection.row, input)
    const row = await changeConnection(ctx, connection.row, { name: input.name, plugin_version: input.plugin_version, parameters })
    tell(ctx, row, 'updated', connectionKey(connection.row))
    return viewConnection(row)
  },
})

const remove = defineOperation({
  name: 'connection.delete',
  summary: 'Deletes a connection with its secrets; not while an active workflow uses it.',
  input: Closed({ connection: connectionMember }),
  output: Closed({ id: Type.String(), name: Type.String() }),
  access: { system: 'connection.modify' },
  subjects: { connection: subject('connection', 'write', 'connection') },
  effect: 'write',
  audit: onConnection,
  example,
  async run(ctx, _, { connection }) {
    const { row } = connection
    await refuseWhileUsed(ctx, `The connection "${row.name}"`, usersOfConnection(ctx.db, row.id))
    // The row stays for the audit trail; what was secret does not.
    await ctx.db.resources.update(row.id, { spec: { ...row.spec, sealed: '', shown: {} } })
    await ctx.db.resources.markDeleted(row.id, ctx.clock.now())
    tell(ctx, row, 'deleted', connectionKey(row))
    return { id: row.id, name: row.name }
  },
})

const test = defineOperation({
  name: 'connection.test',
  summary: 'Has the plugin try a connection, and tells what it says.',
  input: Closed({ connection: connectionMember }),
  output: Closed({ success: Type.Boolean(), message: Type.String(), log: Type.String() }),
  access: { system: 'connection.modify' },
  subjects: { connection: subject('connection', 'execute', 'connection') },
  effect: 'act',
  deadlineMs: 90_000,
  audit: { subject: (input) => `connection:${input.connection}`, detail: (_, output) => ({ success: output?.success ?? false }) },
  example,
  run: (ctx, _, { connection }) => testConnection(ctx, connection.row),
})

// Whoever sends a whole connection back sends its plugin too; another one would get settings that were never meant for it.
function refuseOtherPlugin(row: ResourceRow, wanted: { plugin_vendor?: string | undefined; plugin_name?: string | undefined }): void {
  const { plugin_vendor: vendor, plugin_name: name } = connectionSpecOf(row)
  if ((wanted.plugin_vendor ?? vendor) === vendor && (wanted.plugin_name ?? name) === name) return
  throw fault('malformed_request', { why: `"${row.name}" is a connection of ${vendor}/${name} and stays one; make another for another plugin` })
}

/** Processes that hold what a connection was before are ended by its old key, on every server. */
function tell(ctx: Ctx, row: ResourceRow, state: string, old?: string): void {
  ctx.emit({ kind: 'connection', id: row.id, name: row.name, state, resource_id: row.id, ...(old === undefined ? {} : { data: { key: old } }) })
}

function objectOf(parameters: unknown): JsonObject {
  const json = (parameters ?? {}) as Json // what arrived was JSON
  if (!isJsonObject(json)) throw fault('malformed_request', { why: '"parameters" is not a JSON object' })
  return json
}

const connectionOperations: readonly AnyOperation[] = [create, list, get, update, remove, test]

export { connectionOperations }
