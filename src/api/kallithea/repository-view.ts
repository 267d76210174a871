import { permissionName } from './permission-names.ts'
import type { Level } from '../../core/kernel/level.ts'
import type { RepositoryGroupView, RepositoryView } from '../../core/repository/view.ts'
import type { Prefix } from './permission-names.ts'

type Granted = { readonly to: string; readonly level: Level }

/**
 * Who was granted what on a thing (contract §3.5). Everyone is the user `default`; while a repository is private that row does not count, and is shown as
 * none (§15 D18, D27).
 */
function encodeMembers(prefix: Prefix, granted: readonly Granted[], { private: hidden = false }: { private?: boolean } = {}) {
  const members = granted.map(({ to, level }) => {
    const [kind, name] = to === 'everyone' ? ['user', 'default'] : [to.slice(0, to.indexOf(':')), to.slice(to.indexOf(':') + 1)]
    const counts = !(hidden && to === 'everyone')
    return { name, type: kind === 'group' ? 'user_group' : 'user', permission: permissionName(prefix, counts ? level : 'none') }
  })
  return members.sort((a, b) => Number(a.type === 'user_group') - Number(b.type === 'user_group'))
}

/** A group of repositories (contract §3.6) with what is directly in it. */
function encodeRepositoryGroup(it: RepositoryGroupView, repositories: readonly Pick<RepositoryView, 'path'>[]) {
  const paths = repositories.map(({ path }) => path)
  paths.sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  return {
    group_id: it.serial,
    group_name: it.path,
    group_description: it.description,
    parent_group: it.parent,
    repositories: paths,
    owner: it.owner,
  }
}

/** The part of a path before its last slash; '' at the top level. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

export { encodeMembers, encodeRepositoryGroup, parentOf }
