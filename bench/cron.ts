import { readFileSync } from 'node:fs'
import { at } from './support/load.ts'
import { call, environmentOf, freePort, fromSource, remove, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'
import type { Running } from './support/servers.ts'

type Listed = { readonly id: string; readonly name: string; readonly state: string; readonly created_at: string; readonly cronjob?: string }

const minuteMs = 60_000
const clients = 32
const raised = {
  CAPSTAN_RUNTIME_DEFAULT: 'fake',
  CAPSTAN_LIMITS_RUNNING_PER_NAMESPACE: '100000',
  CAPSTAN_LIMITS_QUEUED_PER_NAMESPACE: '1000000',
  CAPSTAN_LIMITS_RUNNING_PER_TARGET: '100000',
  CAPSTAN_LIMITS_CRON_JOBS_PER_NAMESPACE: '100000',
}

/**
 * 10,000 cron jobs, spread over the hour: how soon a server is ready with them, what it uses between two minutes, how late those of a minute start; then all
 * of them due in one minute: how long they take, and whether each became one run.
 */
export async function tenThousandCronJobs({ quick }: BenchOptions): Promise<Figure[]> {
  const jobs = quick ? 1000 : 10_000
  const many = jobs.toLocaleString('en')
  const folder = scratch()
  const port = await freePort()
  const options = { port, folder, path: '/readyz', environment: environmentOf(port, folder, raised) }
  const begin = () => start(fromSource, options)
  let server = await begin()
  const restart = async () => {
    await server.stop()
    const began = performance.now()
    server = await begin()
    return performance.now() - began
  }
  try {
    const without = await restart()
    await deployAll(port, await signIn(port), jobs, (n) => `${n % 60} * * * *`)
    const ready = await restart()
    const token = await signIn(port)
    await untilSecond(5)
    const idle = await busyShare(server, 30)

    const spread = await nextMinute()
    await untilSecond(20, spread)
    const minute = new Date(spread).getUTCMinutes()
    const due = Array.from({ length: jobs }, (_, n) => n).filter((n) => n % 60 === minute).length
    const skews = skewsOf(await occurrences(port, token, spread), spread)
    if (skews.length !== due) throw new Error(`${skews.length} of ${due} cron jobs of the minute were started`)

    // In the middle of a minute, so that nothing of the spread is due while they change.
    const slot = await deployBefore(port, token, jobs)
    const { tookMs, lost, doubled } = await fired(port, token, slot, jobs)
    const p99 = at(skews, 0.99)
    return [
      {
        what: `ready with ${many} cron jobs`,
        ours: `${(ready / 1000).toFixed(2)} s`,
        floor: `${(without / 1000).toFixed(2)} s`,
        ratio: (ready / without).toFixed(2),
        bar: '≤ 2 s',
        held: ready <= 2000,
      },
      figure(`idle CPU with ${many} cron jobs`, `${(idle * 100).toFixed(2)} %`, '< 1 %', idle < 0.01),
      figure(`start skew, p99 of ${skews.length} in a minute`, `${p99.toFixed(0)} ms`, '≤ 1 s', p99 <= 1000),
      figure(`${many} cron jobs of one minute`, `${(tookMs / 1000).toFixed(1)} s`, '', null),
      figure('lost, doubled', `${lost}, ${doubled}`, '0, 0', lost + doubled === 0),
    ]
  } finally {
    await server.stop()
    remove(folder)
  }
}

function figure(what: string, ours: string, bar: string, held: boolean | null): Figure {
  return { what, ours, floor: '', ratio: '', bar, held }
}

async function deployAll(port: number, token: string, jobs: number, schedule: (n: number) => string): Promise<void> {
  let next = 0
  const client = async () => {
    for (let n = next++; n < jobs; n = next++) {
      const configuration = { type: 'job', name: `cron-${n}`, cmd: ['/bin/true'], schedule: schedule(n) }
      await call(port, 'task.deploy', { namespace: 'bench', configuration }, token)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
}

// All for one minute that is far enough away for the change of all of them; those that a minute of the spread starts meanwhile have another slot.
async function deployBefore(port: number, token: string, jobs: number): Promise<number> {
  const slot = Math.ceil((Date.now() + 90_000) / minuteMs) * minuteMs
  const minute = new Date(slot).getUTCMinutes()
  await deployAll(port, token, jobs, () => `${minute} * * * *`)
  if (Date.now() > slot) throw new Error('The cron jobs could not be changed in time')
  await pause(slot - Date.now())
  return slot
}

async function fired(port: number, token: string, slot: number, jobs: number) {
  let started: Listed[] = []
  for (const end = slot + 120_000; started.length < jobs && Date.now() < end; ) {
    await pause(1000)
    started = await occurrences(port, token, slot)
  }
  // A double would come now, if one came.
  await pause(3000)
  started = await occurrences(port, token, slot)
  const names = new Set(started.map(({ name }) => name))
  const tookMs = Math.max(...started.map(({ created_at }) => Date.parse(created_at))) - slot
  return { tookMs, lost: jobs - names.size, doubled: started.length - names.size }
}

/** The runs of the occurrences of a minute. */
async function occurrences(port: number, token: string, slot: number): Promise<Listed[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/list/tasks/bench`, { headers: { authorization: `Bearer ${token}` } })
  const { jobs } = (await answer.json()) as { jobs: Listed[] }
  return jobs.filter(({ name }) => name.endsWith(`-${slot / minuteMs}`))
}

function skewsOf(runs: readonly Listed[], slot: number): number[] {
  return runs.map(({ created_at }) => Date.parse(created_at) - slot).sort((a, b) => a - b)
}

async function nextMinute(): Promise<number> {
  const slot = Math.ceil((Date.now() + 100) / minuteMs) * minuteMs
  await pause(slot - Date.now())
  return slot
}

async function untilSecond(second: number, of = Math.floor(Date.now() / minuteMs) * minuteMs): Promise<void> {
  const moment = of + second * 1000
  // Half of a minute must be left.
  await pause((Date.now() - of > 25_000 && moment < Date.now() ? moment + minuteMs : moment) - Date.now())
}

/** Share of one core that a server used, in the time from now. Linux counts in hundredths of a second. */
async function busyShare({ child }: Running, seconds: number): Promise<number> {
  const used = () => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  }
  const [before, began] = [used(), performance.now()]
  await pause(seconds * 1000)
  return (used() - before) / ((performance.now() - began) / 1000)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
