import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { isRefName, isSafeEntryName, pathParts } from './names.ts'
import { isRepositoryId } from '../code/names.ts'

test('what passes as a ref name passes git as well', () => {
  const names = [
    'refs/heads/a',
    'refs/heads/a/b',
    'refs/heads/-x',
    'refs/heads/a;b',
    'refs/heads/@',
    'refs/heads/a@b',
    'refs/heads/ä',
    'refs/pull/1/head',
    'refs/heads/{',
    'refs/heads/a..b',
    'refs/heads/.a',
    'refs/heads/a.',
    'refs/heads/a/',
    'refs/heads//a',
  ]
  names.push(
    'refs/heads/a.lock',
    'refs/heads/a.lock/b',
    'refs/heads/a@{b',
    'refs/heads/a b',
    'refs/heads/a~',
    'refs/heads/a^',
    'refs/heads/a:b',
    'refs/heads/a?',
    'refs/heads/a*',
    'refs/heads/a[',
    'refs/heads/a\\b',
    'refs/heads/a\x7f',
    'refs/heads/a\tb',
    'refs/heads/a/.b',
  )
  for (const name of names) {
    let valid = true
    try {
      execFileSync('git', ['check-ref-format', name])
    } catch {
      valid = false
    }
    expect(isRefName(name), name).toBe(valid)
  }
  for (const name of ['HEAD', 'config', 'refs/x', 'refs/', 'heads/x', '', 'refs/heads/\0', `refs/heads/${'x'.repeat(300)}`])
    expect(isRefName(name), name).toBe(false)
})

test('ids, paths and names of entries are taken only in their strict form', () => {
  expect(['0191f2c4-5b6a-7c8d-9e0f-112233445566', 'a', '31'].every(isRepositoryId)).toBe(true)
  expect(['', 'A', '-a', 'a-', '..', 'a.b', 'a/b', 'a\n', 'x'.repeat(65)].some(isRepositoryId)).toBe(false)
  expect(pathParts('')).toEqual([])
  expect(pathParts('a b/c:d')).toEqual(['a b', 'c:d'])
  for (const path of ['/', 'a/', '/a', 'a//b', '.', 'a/../b', 'a\0', 'x'.repeat(5000)]) expect(pathParts(path), path).toBeNull()
  for (const name of ['a', '.gitignore', '.github', '..a', '...a', 'git', 'git~2', 'a.git', 'con', 'é', 'a:b', '.git-x'])
    expect(isSafeEntryName(Buffer.from(name)), name).toBe(true)
  for (const name of ['.git', '.GIT', '.git...', 'git~1', '.git:x', '.g\u200cit', '..', 'a/b', '', 'a\\..', 'a\0b'])
    expect(isSafeEntryName(Buffer.from(name)), name).toBe(false)
})
