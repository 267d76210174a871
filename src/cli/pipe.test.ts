import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ran } from '../../test/support/programs.ts'

const main = join(import.meta.dirname, '..', 'main.ts')

test('a command whose reader has gone ends without a word, and the status says so', async () => {
  const { out, err } = await ran(['bash', '-c', '"$NODE" "$MAIN" --help | true; echo $PIPESTATUS'], {
    env: { NODE: process.execPath, MAIN: main },
  })
  expect([out, err]).toEqual(['141\n', ''])
}, 30_000)
