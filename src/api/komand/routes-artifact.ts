import { fault } from '../../core/kernel/fault.ts'
import { bad, memberOf, picked, requiredText, uuid, wholeNumber } from './decode.ts'
import { wholeSeconds } from './encode.ts'
import { allOf, listed } from './pages.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { Doing, Route } from './route.ts'

const base = '/v2/artifacts/:id'
const permission = 'WORKFLOW_MODIFY' as const
const artifactOf = ({ parameters }: Doing) => uuid(parameters.id, 'artifact')
const members = ['name', 'description', 'schema', 'tags'] as const

type ArtifactView = {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly schema?: Json
  readonly tags?: readonly string[]
  readonly rows: number
  readonly created_at: string
  readonly updated_at: string
}
type EntityView = { readonly id: string; readonly value: Json; readonly created_at: string }

/** Lists that workflows share (contract §8). */
const artifactRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v2/artifacts',
    operations: ['artifact.list'],
    does: (doing) => listed<ArtifactView>(doing, { member: 'artifacts', operation: 'artifact.list', encode: encodeArtifact, atOnce: 200 }),
  },
  {
    method: 'POST',
    path: '/v2/artifacts',
    permission,
    body: 'object',
    operations: ['artifact.create'],
    async does({ invoke, body }) {
      requiredText(body, 'name')
      return encodeArtifact(await invoke('artifact.create', picked(body, members)))
    },
  },
  {
    method: 'GET',
    path: base,
    operations: ['artifact.get'],
    does: async (doing) => encodeArtifact(await doing.invoke('artifact.get', { artifact: artifactOf(doing) })),
  },
  {
    method: 'PUT',
    path: base,
    permission,
    body: 'object',
    operations: ['artifact.update'],
    does: async (doing) => encodeArtifact(await doing.invoke('artifact.update', { artifact: artifactOf(doing), ...picked(doing.body, members) })),
  },
  {
    method: 'DELETE',
    path: base,
    permission,
    operations: ['artifact.delete'],
    async does(doing) {
      await doing.invoke('artifact.delete', { artifact: artifactOf(doing) })
      return { message: 'artifact deleted' }
    },
  },
  { method: 'GET', path: `${base}/entities`, operations: ['artifact.list-entities'], does: entities },
  {
    method: 'POST',
    path: `${base}/entities`,
    body: 'object',
    operations: ['artifact.append'],
    async does(doing) {
      const value = memberOf(doing.body, 'data')
      if (value === undefined) throw bad('"data" is missing')
      return encodeEntity(await doing.invoke('artifact.append', { artifact: artifactOf(doing), value }))
    },
  },
  {
    method: 'DELETE',
    path: `${base}/entities/:entity_id`,
    operations: ['artifact.remove-entity'],
    async does(doing) {
      const { entity_id: entity = '' } = doing.parameters
      if (entity.length > 100) throw fault('not_found', { kind: 'row', reference: entity })
      await doing.invoke('artifact.remove-entity', { artifact: artifactOf(doing), entity })
      return { message: 'entity deleted' }
    },
  },
]

async function entities(doing: Doing): Promise<unknown> {
  const [limit, offset] = [wholeNumber(doing.query, 'limit'), wholeNumber(doing.query, 'offset') ?? 0]
  const artifact = artifactOf(doing)
  if (offset === 0 && limit !== 0) {
    const listing = { member: 'entities', operation: 'artifact.list-entities', input: { artifact }, encode: encodeEntity, atOnce: 200 }
    return listed<EntityView>(doing, { ...listing, ...(limit !== undefined && { limit }) })
  }
  const all = await allOf<EntityView>(doing, 'artifact.list-entities', { artifact })
  return { entities: all.slice(offset, limit === undefined ? undefined : offset + limit).map(encodeEntity) }
}

function encodeArtifact({ id, name, description, schema, tags, rows, created_at, updated_at }: ArtifactView) {
  return {
    id,
    name,
    description,
    schema: schema ?? {},
    tags: tags ?? [],
    entities_count: rows,
    created_at: wholeSeconds(created_at),
    updated_at: wholeSeconds(updated_at),
  }
}

function encodeEntity({ id, value, created_at }: EntityView) {
  return { id, data: value, created_at: wholeSeconds(created_at) }
}

export { artifactRoutes }
