import { findOrNull } from '../access/find.ts'
import { atLeast } from '../kernel/level.ts'
import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { kindOf } from '../resource/kind.ts'
import { specOf } from './spec.ts'
import type { Ctx } from '../operation/context.ts'
import type { Found } from '../operation/operation.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const locateRepository = defineOperation({
  name: 'repository.locate',
  summary: 'Gives the id of the repository at an address, and what the caller may do with it.',
  description:
    'For APIs that host: `path` is the full path, or `_<serial>`, which stands for it for ever. Needs read; whether another path is missing or hidden, only the fault of core knows.',
  input: Closed({ path: Type.String({ maxLength: 2000 }) }),
  output: Closed({ id: Type.String(), path: Type.String(), kind: OneOf(['git', 'hg']), may: Closed({ pull: Type.Boolean(), push: Type.Boolean() }) }),
  access: 'anyone',
  // While anonymous access is closed a git client without credentials still has to be told from one with a wrong address: it sends none before it is asked.
  entrance: true,
  subjects: {},
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { path: 'lab/weather' },
  async run(ctx, { path }) {
    const { row, level } = await locate(ctx, 'repository', path)
    return { id: row.id, path: row.name, kind: specOf(row).kind, may: { pull: atLeast(level, 'read'), push: atLeast(level, 'write') } }
  },
})

const locateGroup = defineOperation({
  name: 'repository-group.locate',
  summary: 'Gives the id of the group of repositories of a path or a serial.',
  description: 'For APIs that use numbers: `path` is the full path, or `_<serial>`. Needs read.',
  input: Closed({ path: Type.String({ maxLength: 2000 }) }),
  output: Closed({ id: Type.String(), path: Type.String() }),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { path: '_3' },
  async run(ctx, { path }) {
    const { row } = await locate(ctx, 'repository-group', path)
    return { id: row.id, path: row.name }
  },
})

async function locate<Kind extends 'repository' | 'repository-group'>(ctx: Ctx, kind: Kind, path: string): Promise<Found<Kind>> {
  const row = await rowAt(ctx, kind, path)
  const found = row ? await findOrNull(ctx, { kind, need: 'read', member: 'path' }, row.id) : null
  if (found) return found
  // The reference is the one that was given: with the id of what was found there, what is hidden would be told from what is missing.
  const context = { absence: row ? 'hidden' : 'missing', kind, reference: path, member: 'path', ...(row ? { path: row.name } : {}) } as const
  throw fault('not_found', { kind: kindOf(kind).title, reference: path }, { private: context })
}

async function rowAt(ctx: Ctx, kind: string, path: string): Promise<ResourceRow | null> {
  const serial = /^_([1-9][0-9]{0,14})$/.exec(path)?.[1]
  const row = await (serial === undefined ? ctx.db.resources.byName(kind, path) : ctx.db.resources.bySerial(kind, Number(serial)))
  return row?.deleted_at === null ? row : null
}

export { locateRepository, locateGroup }
