import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { createPrograms } from './programs.ts'

test('git is found with its version and path', async () => {
  const git = (await createPrograms().found()).find(({ name }) => name === 'git')
  expect(execFileSync(git?.path ?? '', ['--version']).toString()).toContain(git?.version)
})

test('what runs the server is among its libraries', () => {
  expect(createPrograms().libraries).toContainEqual({ name: 'node', version: process.versions.node })
})
