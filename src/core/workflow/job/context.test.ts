import { expect, test } from 'vitest'
import { readWorkflow } from '../document/file.ts'
import { entriesOf, executionsOf } from './context.ts'
import { pathsOf } from './paths.ts'
import type { RunRow, StepRow } from '../../../ports/store/rows.ts'

const loop = (id: string, inner: string, parent: string) => ({
  id,
  name: id,
  type: 'loop',
  parent_id: parent,
  parameters: { repeatCount: 1, innerEdgeId: inner },
})

test('a job with many rounds is told by looking at each of its rows a few times, whatever loops stand in its loops', () => {
  const document = readWorkflow({
    name: 'nested',
    steps: [
      { id: 's', name: 's', type: 'trigger' },
      loop('L', 'in', ''),
      loop('M', 'in2', 'L'),
      { id: 'a', name: 'a', type: 'artifact', parent_id: 'M' },
    ],
    paths: [
      { id: '1', from_step: 's', to_step: 'L' },
      { id: 'in', from_step: 'L', to_step: 'M' },
      { id: 'in2', from_step: 'M', to_step: 'a' },
    ],
  })
  let looks = 0
  const row = (key: string) => {
    const common = { node: key.split('/').at(-1), state: 'succeeded', output: { rounds: 1, entry: {} }, started_at: 1, finished_at: 2, created_at: 1 }
    return {
      ...common,
      child_id: null,
      get key() {
        looks++
        return key
      },
    } as unknown as StepRow // what is looked at of a row here
  }
  const rounds = Array.from({ length: 1000 }, (_, at) => at + 1)
  const rows = [row('s'), row('L~items'), row('L'), ...rounds.flatMap((at) => [row(`L/${at}/M~items`), row(`L/${at}/M`), row(`L/${at}/M/1/a`)])]
  const run = { id: 'r', input: {} } as unknown as RunRow // the same of a run
  const entries = entriesOf(run, document, rows, new Map())
  expect((entries.L as { $outputs: unknown[] }).$outputs).toHaveLength(1000)
  expect(pathsOf(document, executionsOf(run, document, rows)).taken).toHaveLength(1 + 1 + 1000)
  expect(looks / rows.length).toBeLessThan(50)
})
