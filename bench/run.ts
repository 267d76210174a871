import { openSync, fdatasyncSync, writeSync, closeSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './support/load.ts'
import { scratch, remove } from './support/servers.ts'
import { chainOfProcesses, graphOfNodes } from './graphs.ts'
import { cloneOverHttp } from './clone.ts'
import { tenThousandCronJobs } from './cron.ts'
import { acceptDeploys, idleWithCronJobs, listOfJobs, pipelineOfProcesses } from './deploy.ts'
import { gatewayBesideProxy } from './gateway.ts'
import { jobsOnSlots, wideOfProcesses } from './jobs.ts'
import { kallitheaCalls } from './kallithea.ts'
import { largeRepositories } from './large.ts'
import { stepsOfPlugins } from './plugins.ts'
import { readOneRow } from './read.ts'
import { restartWithRunning } from './restart.ts'
import { threeStepRuns } from './runs.ts'
import { startAndMemory } from './start.ts'
import { workflowJobs } from './workflows.ts'

/** One line of the table: what was measured, the floor beside it, and the bar of the design. */
export type Figure = {
  readonly what: string
  readonly ours: string
  readonly floor: string
  readonly ratio: string
  readonly bar: string
  readonly held: boolean | null
}
export type BenchOptions = { readonly quick: boolean }

const benches: Record<string, (options: BenchOptions) => Promise<Figure[]>> = {
  start: startAndMemory,
  runs: threeStepRuns,
  read: readOneRow,
  chain: chainOfProcesses,
  graph: graphOfNodes,
  clone: cloneOverHttp,
  restart: restartWithRunning,
  deploy: acceptDeploys,
  pipeline: pipelineOfProcesses,
  list: listOfJobs,
  wide: wideOfProcesses,
  slots: jobsOnSlots,
  cron: async (options) => [...(await idleWithCronJobs(options)), ...(await tenThousandCronJobs(options))],
  gateway: gatewayBesideProxy,
  kallithea: kallitheaCalls,
  workflows: workflowJobs,
  plugins: stepsOfPlugins,
  large: largeRepositories,
}
// Takes minutes and some GiB of disk.
const onlyWhenNamed = ['large']

// `npm run bench` measures everything; `-- --quick` what CI prints; `-- --only runs,read` some of it.
const quick = process.argv.includes('--quick')
const only = process.argv.includes('--only') ? (process.argv[process.argv.indexOf('--only') + 1] ?? '').split(',') : null
const wanted = Object.entries(benches).filter(([name]) =>
  only ? only.includes(name) : !onlyWhenNamed.includes(name) && (!quick || name === 'start' || name === 'runs'),
)

console.log(`one fsync: ${syncTime().toFixed(2)} ms (median of 100); ${process.version}, ${process.platform} ${process.arch}`)
const rows: Figure[] = []
for (const [name, bench] of wanted) {
  try {
    rows.push(...(await bench({ quick })))
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
print(rows)

function print(figures: readonly Figure[]): void {
  const head = { what: 'figure', ours: 'ours', floor: 'floor', ratio: 'ratio', bar: 'bar', held: '' }
  const lines = [head, ...figures.map((figure) => ({ ...figure, held: figure.held === null ? '' : figure.held ? 'held' : 'MISSED' }))]
  const columns = ['what', 'ours', 'floor', 'ratio', 'bar', 'held'] as const
  const width = Object.fromEntries(columns.map((column) => [column, Math.max(...lines.map((line) => line[column].length))])) as Record<
    (typeof columns)[number],
    number
  >
  for (const line of lines)
    console.log(
      columns
        .map((column) => line[column].padEnd(width[column]))
        .join('  ')
        .trimEnd(),
    )
}

function syncTime(): number {
  const folder = scratch()
  const file = join(folder, 'sync')
  const handle = openSync(file, 'w')
  const block = Buffer.alloc(4096, 1)
  const times = Array.from({ length: 100 }, (_, at) => {
    const began = performance.now()
    writeSync(handle, block, 0, block.length, at * block.length)
    fdatasyncSync(handle)
    return performance.now() - began
  })
  closeSync(handle)
  rmSync(file)
  remove(folder)
  return median(times)
}
