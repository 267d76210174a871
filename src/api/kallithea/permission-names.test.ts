import { expect, test } from 'vitest'
import { levels } from '../../core/kernel/level.ts'
import { globalNames, kinds, levelNamed, permissionName, permissionNames, systemPermissionOf } from './permission-names.ts'
import type { Prefix } from './permission-names.ts'

const prefixes = Object.keys(kinds) as Prefix[] // the keys of that very table

test('there are the 24 names of the contract', () => {
  expect(permissionNames).toHaveLength(24)
  expect(new Set(permissionNames).size).toBe(24)
})

test('every level has a name, and every name that stands for a level leads back to it; execute is shown as read', () => {
  for (const prefix of prefixes) {
    for (const level of levels) expect(levelNamed(prefix, permissionName(prefix, level))).toBe(level === 'execute' ? 'read' : level)
    const named = permissionNames.filter((name) => levelNamed(prefix, name) !== null)
    expect(named).toEqual(['none', 'read', 'write', 'admin'].map((word) => `${prefix}.${word}`))
    for (const name of named) expect(permissionName(prefix, levelNamed(prefix, name) ?? 'none')).toBe(name)
  }
})

test('a name of one kind of thing is none of another', () => {
  expect(levelNamed('repository', 'group.read')).toBeNull()
  expect(levelNamed('group', 'usergroup.read')).toBeNull()
  expect(levelNamed('repository', 'repository.execute')).toBeNull()
})

test('a system permission is shown by its name, and the name leads back to it', () => {
  for (const right of ['repository.create', 'repository.fork', 'group.create']) {
    const more = globalNames([right], 'approval').filter((name) => !globalNames([], 'approval').includes(name))
    expect(more.map(systemPermissionOf)).toEqual([right])
  }
  expect(globalNames(['user.create'], 'approval')).toEqual(globalNames([], 'approval'))
})

test('how accounts are made is one of the three names for it', () => {
  const name = (registration: 'approval' | 'first' | 'open' | 'closed') => globalNames([], registration).find((one) => one.startsWith('hg.register.'))
  expect(['closed', 'approval', 'first', 'open'].map((one) => name(one as 'open'))).toEqual([
    'hg.register.none',
    'hg.register.manual_activate',
    'hg.register.manual_activate',
    'hg.register.auto_activate',
  ])
})
