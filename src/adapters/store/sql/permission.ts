import { rank } from '../../../core/kernel/level.ts'
import type { Level } from '../../../core/kernel/level.ts'
import { everyoneId } from '../../../core/kernel/builtin.ts'
import type { Viewer } from '../../../ports/store/tables.ts'
import type { Part, Value } from './sql.ts'

/*
 * What a subject may do is one query (design §9): the highest of everyone's row, which does not count on private resources, the user's own row, and
 * the rows of the active groups that the user is a member of; each on the resource itself or on its whole kind (`kind:<kind>`).
 * Every list and every check is made of the pieces below, so that none can differ.
 */

/** The condition on a grant `g` that it counts for the viewer. `isPrivate` is the SQL of a number that is 0 when everyone's row counts. */
function counts(isPrivate: string): string {
  return `((g.subject_id = '${everyoneId}' and ${isPrivate} = 0) or g.subject_id = ? or g.subject_id in (
    select m.group_id from group_member m join resource t on t.id = m.group_id where m.user_id = ? and t.active = 1 and t.deleted_at is null))`
}

// Everyone's row counts as everyone's only, or callers without credentials would hold it on private resources as "their own row".
function self(viewer: Viewer): string {
  return viewer.userId === everyoneId ? '' : viewer.userId
}

/** The values of the condition that the grant counts. */
function counted(viewer: Viewer): Value[] {
  return [self(viewer), self(viewer)]
}

/** The condition that the viewer holds `need` on the resource `r`; `owner` is the SQL under which the owner of `r` holds everything, or null. */
function holds(viewer: Viewer, need: Level, owner: string | null): Part {
  if (viewer.administrator || need === 'none') return { text: '1 = 1', values: [] }
  const grant = `exists (select 1 from grant_entry g where g.resource_id in (r.id, 'kind:' || r.kind) and g.level >= ? and ${counts('r.private')})`
  const values = [rank(need), ...counted(viewer)]
  if (owner === null) return { text: grant, values }
  return { text: `((r.owner_id = ? and ${owner}) or ${grant})`, values: [self(viewer), ...values] }
}

/** The statement that gives `level` and `extras` of all grants that count for the viewer on one resource. */
function grantsOn(resource: { id: string; kind: string; private: boolean }, viewer: Viewer): Part {
  return {
    text: `select g.level, g.extras from grant_entry g where g.resource_id in (?, ?) and ${counts('cast(? as smallint)')}`,
    values: [resource.id, `kind:${resource.kind}`, resource.private ? 1 : 0, ...counted(viewer)],
  }
}

/** As `grantsOn`, for the resources whose ids are in a list: each row says in `of_resource` which one it is about. */
function grantsOnAll(texts: string, ids: string, viewer: Viewer): Part {
  return {
    text: `select r.id as of_resource, g.level, g.extras from resource r join grant_entry g on g.resource_id in (r.id, 'kind:' || r.kind)
      where r.id in (${texts}) and r.deleted_at is null and ${counts('r.private')}`,
    values: [ids, ...counted(viewer)],
  }
}

// Design §9: owner means admin for repositories, gists and workflows. A list of runs crosses all kinds, so it cannot be told by the caller as for a list
// of one kind.
const ownedKinds = `r.kind in ('repository', 'gist', 'workflow')`

// Jobs stay readable when their workflow is deleted, for who could read it.
const kept = `(r.deleted_at is null or r.kind = 'workflow')`

/** The condition that the viewer may see what belongs to the resource in `column`, or was started by the user in `starter`. */
function seesThrough(viewer: Viewer | null, column: string, starter: string | null): Part | null {
  if (viewer === null || viewer.administrator) return null
  const held = holds(viewer, 'read', ownedKinds)
  const through = `exists (select 1 from resource r where r.id = ${column} and ${kept} and ${held.text})`
  if (starter === null) return { text: through, values: held.values }
  return { text: `(${starter} = ? or ${through})`, values: [self(viewer), ...held.values] }
}

/** Whether the viewer is the owner, who is never the built-in user for everyone. */
function isOwner(resource: { owner_id: string | null }, viewer: Viewer): boolean {
  return resource.owner_id !== null && resource.owner_id === self(viewer)
}

export { holds, grantsOn, grantsOnAll, seesThrough, isOwner }
