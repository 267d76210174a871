import { levelNamed, permissionNames } from './permission-names.ts'
import { BadArgument } from './argument.ts'
import { str } from './python.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { Level } from '../../core/kernel/level.ts'
import type { LocatedUser } from './locate.ts'
import type { MethodCall } from './method.ts'

/** The level that a permission name stands for on this kind of thing. A name that does not exist has a text of its own. */
function levelFor(call: MethodCall, prefix: 'repository' | 'group', perm: Json): Level {
  if (!permissionNames.includes(str(perm))) call.refuse('permission `{perm}` does not exist')
  const level = levelNamed(prefix, str(perm))
  if (level !== null) return level
  if (prefix === 'group') call.refuse('permission `{perm}` is invalid, should start with group.')
  throw new BadArgument()
}

/** How a user is written in a grant: the user `default` is everyone (contract §15 D18). */
function subjectOf(user: LocatedUser): string {
  return user.kind === 'builtin' ? 'everyone' : `user:${user.id}`
}

export { levelFor, subjectOf }
