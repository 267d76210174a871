import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { operations } from '../../core/operations.ts'
import { routes } from './routes.ts'

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
const [, table = ''] = /<!-- routes: readme\.test\.ts [^\n]*-->\n([\s\S]*?)\n\n/.exec(readme) ?? []
const words = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word)

test('the README lists every route with its permission and its operations, and no other', () => {
  const rows = table
    .split('\n')
    .slice(2)
    .map((line) => line.split('|').slice(1, 4).map(words))
  expect(rows).toEqual(
    routes.map(({ method, path, permission, operations: called }) => [[`${method} ${path}`], permission ? [permission] : [], [...called]]),
  )
})

test('every operation that a route names is one', () => {
  const known = new Set(operations.map(({ name }) => name))
  expect(routes.flatMap(({ operations: called }) => called.filter((name) => !known.has(name)))).toEqual([])
})
