import type { Level } from '../../core/kernel/level.ts'

/** What a permission name is about: the part before the dot, and our kind of resource. */
const kinds = { repository: 'repository', group: 'repository-group', usergroup: 'group' } as const
type Prefix = keyof typeof kinds

const words = ['none', 'read', 'write', 'admin'] as const
type Word = (typeof words)[number]

/** Every permission name there is (contract §11.2). */
const permissionNames: readonly string[] = [
  'hg.admin',
  ...Object.keys(kinds).flatMap((prefix) => words.map((word) => `${prefix}.${word}`)),
  'hg.usergroup.create.false',
  'hg.usergroup.create.true',
  'hg.create.none',
  'hg.create.repository',
  'hg.fork.none',
  'hg.fork.repository',
  'hg.register.none',
  'hg.register.manual_activate',
  'hg.register.auto_activate',
  'hg.extern_activate.manual',
  'hg.extern_activate.auto',
]

// Theirs have no word between read and write (contract §15 D19).
const shown: Readonly<Record<Level, Word>> = { none: 'none', read: 'read', execute: 'read', write: 'write', admin: 'admin' }

/** The name of a level on a kind of thing. */
function permissionName(prefix: Prefix, level: Level): string {
  return `${prefix}.${shown[level]}`
}

/** The level of a name with this prefix; null for any other text. */
function levelNamed(prefix: Prefix, name: string): Level | null {
  return words.find((word) => name === `${prefix}.${word}`) ?? null
}

type Registration = 'approval' | 'first' | 'open' | 'closed'

const registrations: Readonly<Record<Registration, string>> = {
  closed: 'hg.register.none',
  approval: 'hg.register.manual_activate',
  first: 'hg.register.manual_activate',
  open: 'hg.register.auto_activate',
}

const rights = [
  ['repository.create', 'hg.create.repository'],
  ['repository.fork', 'hg.fork.repository'],
  ['group.create', 'hg.usergroup.create.true'],
] as const

/** The global names of a user who holds these system permissions: what such a right allows, what everyone begins with, and how accounts are made. */
function globalNames(system: readonly string[], registration: Registration): string[] {
  return [
    ...rights.filter(([right]) => system.includes(right)).map(([, name]) => name),
    // What everyone is granted on something new (core's table of kinds), which their users hold as a floor.
    'repository.read',
    'group.read',
    'usergroup.read',
    registrations[registration],
    'hg.extern_activate.auto',
  ]
}

/** The system permission that a global name stands for; null for one that is no right here. */
function systemPermissionOf(name: string): string | null {
  return rights.find(([, named]) => named === name)?.[0] ?? null
}

export type { Prefix }
export { kinds, permissionNames, permissionName, levelNamed, globalNames, systemPermissionOf }
