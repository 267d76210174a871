import { expect, test } from 'vitest'
import { changesOf, pipelineOf, pipelineTree, redraw } from './pipeline-tree.ts'

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000).toISOString()
const now = 1_700_000_000_000 + 90_000
const task = (name: string, dependance: string[], more: object = {}) => ({ name, dependance, state: null, ...more })
const diamond = {
  id: 'p1',
  name: 'report',
  state: 'running',
  reason: null,
  started_at: at(0),
  tasks: [
    task('prepare', [], { state: 'succeeded', started_at: at(0), finished_at: at(1.5) }),
    task('words', ['prepare'], { state: 'running', started_at: at(2) }),
    task('lines', ['prepare'], { state: 'failed', exit_code: 3, reason: 'exit_nonzero', started_at: at(2), finished_at: at(3) }),
    task('summary', ['prepare', 'words', 'lines']),
  ],
}

test('each task is below the one that it waits for, and of several the others are named beside it', () => {
  expect(pipelineTree(pipelineOf(diamond), now)).toEqual([
    'report  running  1 min 30 s',
    '└─ ✔ prepare        succeeded  1.5 s',
    '   ├─ ● words       running  1 min 28 s',
    '   │  └─ · summary  waiting  after prepare, lines as well',
    '   └─ ✘ lines       failed  (exit code 3)  1.0 s',
  ])
})

test('each change is one line, and what did not change is none', () => {
  const before = pipelineOf(diamond)
  const [prepare, words, lines, summary] = diamond.tasks
  const after = pipelineOf({
    ...diamond,
    state: 'failed',
    reason: 'step_failed',
    finished_at: at(5),
    tasks: [prepare, { ...words, state: 'succeeded', finished_at: at(4) }, lines, { ...summary, state: 'skipped', reason: 'pipeline_in_error' }],
  })
  expect(changesOf(before, after)).toEqual([
    'report/words  succeeded  2.0 s',
    'report/summary  skipped  (pipeline_in_error)',
    'report  failed  (step_failed)',
  ])
  expect(changesOf(before, before)).toEqual([])
  expect(changesOf(null, before)[0]).toBe('report  running')
  expect(changesOf(before, pipelineOf({ ...diamond, cancelling: true }))).toEqual(['report  is being cancelled'])
})

test('lines take the place of those that were drawn before, and never more than the screen has', () => {
  expect(redraw(['a', 'b'], 0, { columns: 80, rows: 24 })).toEqual({ text: 'a\nb\n', drawn: 2 })
  expect(redraw(['a'], 2, { columns: 80, rows: 24 })).toEqual({ text: '\u001b[2A\r\u001b[Ja\n', drawn: 1 })
  expect(redraw(['1', '2', '3', '4', '5'], 0, { columns: 80, rows: 4 })).toEqual({ text: '1\n2\n… and 3 more lines\n', drawn: 3 })
  expect(redraw(['0123456789'], 0, { columns: 6, rows: 4 }).text).toBe('0123…\n')
})

test('nothing that a server sends can obey the terminal, or keep the tree from being drawn', () => {
  const hostile = pipelineOf({
    name: 'a\u001b[2Jb\nc',
    state: 'running',
    tasks: [task('x', ['y']), task('y', ['x']), task('z', ['absent']), null, 7],
  })
  const lines = pipelineTree(hostile, now)
  expect(lines.join('')).not.toMatch(/\u001b|\n/)
  expect(lines).toHaveLength(4)
  expect(pipelineTree(pipelineOf(null), now)).toHaveLength(1)
})
