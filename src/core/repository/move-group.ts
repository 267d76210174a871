import { renameOrganisation } from '../identity/organisation.ts'
import { fault } from '../kernel/fault.ts'
import { kindOf } from '../resource/kind.ts'
import { checkPath, longestPath } from './names.ts'
import { refuseTaken } from './place.ts'
import { rowsBelow } from './walk.ts'
import type { WriteCtx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

const { title } = kindOf('repository-group')

/** Gives a group another path, and everything below it the new prefix, in the transaction of `ctx`. Storage is named by id, so nothing moves on disk. */
async function moveGroup(ctx: WriteCtx, row: ResourceRow, path: string, parent: ResourceRow | null): Promise<void> {
  const { resources } = ctx.db
  if (path.startsWith(`${row.name}/`)) throw fault('invalid_name', { what: title, name: path, why: 'a group cannot be moved below itself' })
  await refuseTaken(ctx.db, path)
  checkPath(path, title, ctx.services.settings)
  const groups = [row.name]
  for (const kind of ['repository-group', 'repository']) {
    for await (const below of rowsBelow(ctx.db, kind, row.name)) {
      if (Buffer.byteLength(moved(below.name, row.name, path)) > longestPath) {
        throw fault('invalid_name', { what: title, name: path, why: `paths below it would be longer than ${longestPath} bytes` })
      }
      if (kind === 'repository-group') groups.push(below.name)
    }
  }
  const now = ctx.clock.now()
  await resources.update(row.id, { name: path, parent_id: parent?.id ?? null, updated_at: now })
  for (const kind of ['repository-group', 'repository']) await resources.movePrefix(kind, row.name, path, now)
  for (const group of groups) await renameOrganisation(ctx, group, moved(group, row.name, path))
}

function moved(name: string, from: string, to: string): string {
  return to + name.slice(from.length)
}

export { moveGroup }
