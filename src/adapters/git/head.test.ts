import { expect, test } from 'vitest'
import { headAfterPush } from './head.ts'

const a = 'a'.repeat(40)
const refs = (...names: string[]) => new Map(names.map((name) => [name, a]))
const made = (...names: string[]) => names.map((ref) => ({ ref, from: null, to: a }))

test('HEAD moves to the first branch of the first push, and only then', () => {
  const head = 'refs/heads/master'
  expect(headAfterPush({ head, refs: refs('refs/heads/trunk'), changes: made('refs/heads/trunk') })).toBe('refs/heads/trunk')
  expect(headAfterPush({ head, refs: refs('refs/heads/b', 'refs/heads/c'), changes: made('refs/tags/a', 'refs/heads/c', 'refs/heads/b') })).toBe(
    'refs/heads/c',
  )
  expect(headAfterPush({ head, refs: refs('refs/heads/a', head), changes: made('refs/heads/a', head) })).toBeNull()
  expect(headAfterPush({ head, refs: refs('refs/tags/v1'), changes: made('refs/tags/v1') })).toBeNull()
  expect(headAfterPush({ head, refs: refs('refs/heads/old', 'refs/heads/new'), changes: made('refs/heads/new') })).toBeNull()
  expect(headAfterPush({ head, refs: refs(), changes: made('refs/heads/gone') })).toBeNull()
})
