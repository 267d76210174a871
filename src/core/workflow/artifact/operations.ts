import { readablePage } from '../../access/held.ts'
import { timestamp } from '../../kernel/clock.ts'
import { fault } from '../../kernel/fault.ts'
import { pageRequest, viewPage } from '../../kernel/page.ts'
import { Closed, listMembers, PageOf, Time, Type } from '../../kernel/schema.ts'
import { defineOperation, subject } from '../../operation/operation.ts'
import { refuseWhileUsed } from '../active-uses.ts'
import { objectMember, textMember, textsMember } from '../document/members.ts'
import { printableName, unlessNamed } from '../named.ts'
import { lookUp } from './look-up.ts'
import { usersOfArtifact } from './uses.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Static } from '../../kernel/schema.ts'
import type { Ctx } from '../../operation/context.ts'
import type { AnyOperation } from '../../operation/operation.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'
import type { ArtifactEntityRow } from '../../../ports/store/workflows.ts'

const mostRows = 10_000
const largestRow = 64 * 1024

const artifactMember = Type.String({ maxLength: 300, description: 'Id or name of the shared list.' })
const descriptionMember = Type.String({ maxLength: 2000 })
const fields = {
  description: Type.Optional(descriptionMember),
  schema: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object', description: 'JSON Schema of its rows.' })),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 100 })),
}
const valueMember = Type.Unknown({ description: 'Usually an object; what is none is looked up as its member `value`.' })
const example = { artifact: 'Blocked addresses' }
const onArtifact = {
  subject: (input: { artifact: string }, output?: { name?: string }) => `artifact:${output?.name ?? input.artifact}`,
  subjectId: (_: unknown, output?: { id?: string }) => output?.id ?? null,
}

const Artifact = Closed({
  id: Type.String(),
  serial: Type.Integer(),
  name: Type.String(),
  description: Type.String(),
  schema: Type.Unknown({ description: 'JSON Schema of its rows, for people and clients; nothing here checks it.' }),
  tags: Type.Array(Type.String()),
  rows: Type.Integer(),
  created_at: Time,
  updated_at: Time,
})
const Entity = Closed({ id: Type.String(), value: Type.Unknown(), created_at: Time })

const create = defineOperation({
  name: 'artifact.create',
  summary: 'Makes a list that workflows share.',
  description: 'Who makes it owns it. *Execute* on it lets others look rows up and append some, *write* lets them remove some.',
  input: Closed({ name: Type.String({ maxLength: 300 }), ...fields }),
  output: Artifact,
  access: { system: 'workflow.modify' },
  subjects: {},
  effect: 'write',
  audit: { subject: (input) => `artifact:${input.name}`, subjectId: (_, output) => output?.id ?? null },
  example: { name: 'Blocked addresses' },
  async run(ctx, input) {
    const now = ctx.clock.now()
    const name = printableName('shared list', input.name)
    const row = await unlessNamed('shared list', name, () =>
      ctx.db.resources.insert({
        id: ctx.ids.record(),
        kind: 'artifact',
        name,
        owner_id: ctx.principal.id,
        parent_id: null,
        private: false,
        active: true,
        state: 'ready',
        spec: storedFields({ description: '' }, input),
        created_at: now,
        updated_at: now,
      }),
    )
    return view(ctx, row)
  },
})

const list = defineOperation({
  name: 'artifact.list',
  summary: 'Lists the shared lists that the caller may see, by name.',
  input: Closed({ search: Type.Optional(Type.String({ maxLength: 200 })), ...listMembers }),
  output: PageOf(Artifact),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  run(ctx, input) {
    const filter = { kind: 'artifact', ...(input.search ? { search: input.search } : {}) } as const
    return viewPage(readablePage(ctx, filter, input), (rows) => Promise.all(rows.map((row) => view(ctx, row))))
  },
})

const get = defineOperation({
  name: 'artifact.get',
  summary: 'One shared list, without its rows.',
  input: Closed({ artifact: artifactMember }),
  output: Artifact,
  access: 'signed-in',
  subjects: { artifact: subject('artifact', 'read', 'artifact') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { artifact }) => view(ctx, artifact.row),
})

const update = defineOperation({
  name: 'artifact.update',
  summary: 'Changes the name of a shared list, or what is said about it.',
  input: Closed({ artifact: artifactMember, name: Type.Optional(Type.String({ maxLength: 300 })), ...fields }),
  output: Artifact,
  access: { system: 'workflow.modify' },
  subjects: { artifact: subject('artifact', 'write', 'artifact') },
  effect: 'write',
  audit: onArtifact,
  example: { ...example, description: 'What nobody may reach' },
  async run(ctx, input, { artifact }) {
    const { row } = artifact
    const name = printableName('shared list', input.name ?? row.name)
    const spec = storedFields(row.spec, input)
    const updated_at = ctx.clock.now()
    await unlessNamed('shared list', name, () => ctx.db.resources.update(row.id, { name, spec, updated_at }))
    return view(ctx, { ...row, name, spec, updated_at })
  },
})

const remove = defineOperation({
  name: 'artifact.delete',
  summary: 'Deletes a shared list with its rows; not while an active workflow uses it.',
  input: Closed({ artifact: artifactMember }),
  output: Closed({ id: Type.String(), name: Type.String() }),
  access: { system: 'workflow.modify' },
  subjects: { artifact: subject('artifact', 'write', 'artifact') },
  effect: 'write',
  audit: onArtifact,
  example,
  async run(ctx, _, { artifact }) {
    const { id, name } = artifact.row
    await refuseWhileUsed(ctx, `The shared list "${name}"`, usersOfArtifact(ctx.db, id))
    await ctx.db.artifactEntities.clear(id)
    await ctx.db.resources.markDeleted(id, ctx.clock.now())
    return { id, name }
  },
})

const listEntities = defineOperation({
  name: 'artifact.list-entities',
  summary: 'The rows of a shared list, oldest first.',
  input: Closed({ artifact: artifactMember, ...listMembers }),
  output: PageOf(Entity),
  access: 'signed-in',
  subjects: { artifact: subject('artifact', 'read', 'artifact') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, input, { artifact }) => viewPage(ctx.db.artifactEntities.page(artifact.row.id, pageRequest(input)), (rows) => rows.map(viewEntity)),
})

const append = defineOperation({
  name: 'artifact.append',
  summary: 'Appends a row to a shared list and gives it.',
  description: `A list has at most ${mostRows} rows of at most ${largestRow / 1024} KiB.`,
  input: Closed({ artifact: artifactMember, value: valueMember }),
  output: Entity,
  access: 'signed-in',
  subjects: { artifact: subject('artifact', 'execute', 'artifact') },
  effect: 'write',
  audit: { subject: (input) => `artifact:${input.artifact}`, detail: (_, output) => ({ row: output?.id ?? '' }) },
  example: { ...example, value: { value: '203.0.113.7' } },
  async run(ctx, input, { artifact }) {
    const { id, name } = artifact.row
    const value = (input.value ?? null) as Json // what arrived was JSON
    if (JSON.stringify(value).length > largestRow) throw fault('payload_too_large', { limit: largestRow })
    if ((await ctx.db.artifactEntities.count(id)) >= mostRows) {
      throw fault('quota_exceeded', { scope: `The shared list "${name}"`, limit: `${mostRows} rows` })
    }
    const row = { id: ctx.ids.record(), artifact_id: id, value, created_at: ctx.clock.now() }
    await ctx.db.artifactEntities.insert(row)
    return viewEntity(row)
  },
})

const removeEntity = defineOperation({
  name: 'artifact.remove-entity',
  summary: 'Removes a row of a shared list.',
  input: Closed({ artifact: artifactMember, entity: Type.String({ maxLength: 100, description: 'Id of the row.' }) }),
  output: Closed({ id: Type.String() }),
  access: 'signed-in',
  subjects: { artifact: subject('artifact', 'write', 'artifact') },
  effect: 'write',
  audit: { subject: (input) => `artifact:${input.artifact}`, detail: (input) => ({ row: input.entity }) },
  example: { ...example, entity: '01981c0e-0000-7000-8000-000000000000' },
  async run(ctx, input, { artifact }) {
    if (!(await ctx.db.artifactEntities.delete(artifact.row.id, input.entity))) {
      const context = { absence: 'missing', kind: 'row', reference: input.entity, member: 'entity' } as const
      throw fault('not_found', { kind: 'row', reference: input.entity }, { private: context })
    }
    return { id: input.entity }
  },
})

const lookUpRows = defineOperation({
  name: 'artifact.look-up',
  summary: 'The rows of a shared list for which a rule holds.',
  description: "The rule is one of the query language: `'field' = {{name}}`, where a quoted text on the left is a member of the row.",
  input: Closed({
    artifact: artifactMember,
    rule: Type.String({ minLength: 1, maxLength: 4096 }),
    values: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object', description: 'What the names in braces stand for.' })),
  }),
  output: Closed({ found: Type.Boolean(), results: Type.Array(Type.Unknown()) }),
  access: 'signed-in',
  subjects: { artifact: subject('artifact', 'read', 'artifact') },
  effect: 'read',
  audit: 'none',
  deadlineMs: 30_000,
  example: { ...example, rule: "'value' = {{address}}", values: { address: '203.0.113.7' } },
  run: (ctx, input, { artifact }) => lookUp(ctx, artifact.row.id, input.rule, input.values ?? {}),
})

type Fields = { readonly description?: string; readonly schema?: JsonObject; readonly tags?: string[] }

function storedFields(before: JsonObject, { description, schema, tags }: Fields): JsonObject {
  if (schema && JSON.stringify(schema).length > largestRow) throw fault('payload_too_large', { limit: largestRow })
  return {
    ...before,
    ...(description === undefined ? {} : { description }),
    ...(schema === undefined ? {} : { schema }),
    ...(tags === undefined ? {} : { tags }),
  }
}

async function view(ctx: Ctx, row: ResourceRow): Promise<Static<typeof Artifact>> {
  return {
    id: row.id,
    serial: row.serial,
    name: row.name,
    description: textMember(row.spec, 'description'),
    schema: objectMember(row.spec, 'schema'),
    tags: textsMember(row.spec, 'tags'),
    rows: await ctx.db.artifactEntities.count(row.id),
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
  }
}

function viewEntity({ id, value, created_at }: ArtifactEntityRow): Static<typeof Entity> {
  return { id, value, created_at: timestamp(created_at) }
}

const artifactOperations: readonly AnyOperation[] = [create, list, get, update, remove, listEntities, append, removeEntity, lookUpRows]

export { artifactOperations }
