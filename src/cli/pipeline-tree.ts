import { isObject } from '../core/kernel/json.ts'
import { oneLine } from './terminal.ts'

/** What is shown of a pipeline; made from an answer by `pipelineOf`. */
type ShownPipeline = {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly reason: string | null
  readonly cancelling: boolean
  readonly started: number | null
  readonly finished: number | null
  readonly tasks: readonly ShownTask[]
}

type ShownTask = {
  readonly name: string
  readonly after: readonly string[]
  readonly state: string
  readonly reason: string | null
  readonly exitCode: number | null
  readonly started: number | null
  readonly finished: number | null
}

const marks: Readonly<Record<string, string>> = {
  starting: '●',
  running: '●',
  succeeded: '✔',
  failed: '✘',
  timed_out: '✘',
  lost: '✘',
  cancelled: '■',
  skipped: '–',
}

/** A pipeline out of the answer of a server, whatever it is. */
function pipelineOf(output: unknown): ShownPipeline {
  const pipeline = isObject(output) ? output : {}
  const tasks = Array.isArray(pipeline.tasks) ? pipeline.tasks.filter(isObject) : []
  return {
    id: text(pipeline.id) ?? '',
    name: text(pipeline.name) ?? '',
    state: text(pipeline.state) ?? '',
    reason: text(pipeline.reason),
    cancelling: pipeline.cancelling === true,
    started: time(pipeline.started_at),
    finished: time(pipeline.finished_at),
    tasks: tasks.map((task) => ({
      name: text(task.name) ?? '',
      after: Array.isArray(task.dependance) ? task.dependance.flatMap((name) => text(name) ?? []) : [],
      // Of one that waits for others nothing is known yet.
      state: text(task.state) ?? 'waiting',
      reason: text(task.reason),
      exitCode: typeof task.exit_code === 'number' ? task.exit_code : null,
      started: time(task.started_at),
      finished: time(task.finished_at),
    })),
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? oneLine(value) : null
}

function time(value: unknown): number | null {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? null : at
}

/**
 * The lines of a pipeline: each task below the one that it waits for, of several below the one that comes last, with the names of the others beside it.
 */
function pipelineTree(pipeline: ShownPipeline, now: number): string[] {
  const parents = parentsOf(pipeline.tasks)
  const children = Map.groupBy(pipeline.tasks, ({ name }) => parents.get(name) ?? null)
  const rows: { left: string; right: string }[] = []
  const add = (parent: string | null, indent: string) => {
    const below = children.get(parent) ?? []
    for (const [index, task] of below.entries()) {
      const last = index === below.length - 1
      const others = task.after.filter((name) => name !== parent)
      rows.push({ left: `${indent}${last ? '└─' : '├─'} ${marks[task.state] ?? '·'} ${task.name}`, right: taskText(task, others, now) })
      add(task.name, `${indent}${last ? '   ' : '│  '}`)
    }
  }
  add(null, '')
  const state = pipeline.cancelling ? 'is being cancelled' : pipeline.state
  const head = [`${pipeline.name}  ${state}`, ...(pipeline.reason ? [`(${pipeline.reason})`] : []), tookText(pipeline, now)]
    .filter(Boolean)
    .join('  ')
  const width = Math.max(0, ...rows.map(({ left }) => [...left].length))
  return [head, ...rows.map(({ left, right }) => `${left}${' '.repeat(width - [...left].length)}  ${right}`.trimEnd())]
}

// The dependency that is farthest from the beginning. A server that sends a circle gets its tasks shown side by side.
function parentsOf(tasks: readonly ShownTask[]): Map<string, string> {
  const known = new Map(tasks.map((task) => [task.name, task]))
  const depths = new Map<string, number>()
  const parents = new Map<string, string>()
  let left = tasks
  while (left.length > 0) {
    const ready = left.filter(({ after }) => after.every((name) => depths.has(name) || !known.has(name)))
    if (ready.length === 0) break
    for (const { name, after } of ready) {
      const [parent] = after.filter((other) => known.has(other)).sort((a, b) => (depths.get(b) ?? 0) - (depths.get(a) ?? 0))
      if (parent !== undefined) parents.set(name, parent)
      depths.set(name, parent === undefined ? 0 : (depths.get(parent) ?? 0) + 1)
    }
    left = left.filter((task) => !ready.includes(task))
  }
  return parents
}

function taskText(task: ShownTask, others: readonly string[], now: number): string {
  const exit = task.exitCode !== null && task.exitCode !== 0 ? `exit code ${task.exitCode}` : task.reason
  return [
    task.state.replaceAll('_', ' '),
    ...(exit && task.state !== 'succeeded' ? [`(${exit})`] : []),
    tookText(task, now),
    ...(others.length > 0 && task.state === 'waiting' ? [`after ${others.join(', ')} as well`] : []),
  ]
    .filter(Boolean)
    .join('  ')
}

function tookText({ started, finished }: Pick<ShownTask, 'started' | 'finished'>, now: number): string {
  if (started === null) return ''
  const seconds = Math.max(0, (finished ?? now) - started) / 1000
  // What goes on is told in whole seconds, so that a line does not change with every look.
  if (seconds < 60) return finished === null ? `${Math.floor(seconds)} s` : `${seconds.toFixed(1)} s`
  const whole = Math.floor(seconds)
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** What changed, one line for each: of the pipeline itself and of its tasks. */
function changesOf(before: ShownPipeline | null, pipeline: ShownPipeline): string[] {
  const states = new Map(before?.tasks.map((task) => [task.name, task.state]))
  const lines = pipeline.tasks
    .filter((task) => task.state !== (states.get(task.name) ?? 'waiting'))
    .map((task) => `${pipeline.name}/${task.name}  ${taskText(task, [], task.started ?? 0).replace(/ {2}0 s$/, '')}`)
  const own = pipeline.cancelling ? 'is being cancelled' : pipeline.state
  const was = before === null ? null : before.cancelling ? 'is being cancelled' : before.state
  if (own === was) return lines
  const line = `${pipeline.name}  ${own}${pipeline.reason ? `  (${pipeline.reason})` : ''}`
  // It begins before its tasks do, and ends after them.
  return pipeline.finished === null ? [line, ...lines] : [...lines, line]
}

/** What redraws lines in place of the ones drawn before, cut to the screen: a line that wraps, or one that has scrolled away, could not be taken back. */
function redraw(
  lines: readonly string[],
  drawn: number,
  screen: { readonly columns: number; readonly rows: number },
): { text: string; drawn: number } {
  const most = Math.max(1, screen.rows - 1)
  const fits = lines.length <= most ? lines : [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more lines`]
  const cut = fits.map((line) => ([...line].length < screen.columns ? line : `${[...line].slice(0, Math.max(0, screen.columns - 2)).join('')}…`))
  return { text: `${takeBack(drawn)}${cut.map((line) => `${line}\n`).join('')}`, drawn: cut.length }
}

/** Takes back the lines that were drawn last. */
function takeBack(drawn: number): string {
  return drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`
}

export type { ShownPipeline, ShownTask }
export { pipelineOf, pipelineTree, changesOf, redraw, takeBack }
