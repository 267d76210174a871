import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { at } from './support/load.ts'
import { built, call, environmentOf, freePort, remove, root, scratch, signIn, start } from './support/servers.ts'
import type { BenchOptions, Figure } from './run.ts'

const mostMs = 15
const sample = join(root, 'examples', 'plugins', 'units')
const input = { value: 2.5, from: 'km', to: 'm' }

type Job = { readonly id: string; readonly status: string; readonly ended_at: string | null }
type Step = { readonly step: string; readonly started_at: string; readonly ended_at: string }

/** A step that calls a plugin over a warm process, from its start to its end in the store, beside the same call made to the same plugin alone. */
export async function stepsOfPlugins({ quick }: BenchOptions): Promise<Figure[]> {
  const folder = scratch()
  const times = quick ? 50 : 300
  const port = await freePort()
  mkdirSync(join(folder, 'plugins'))
  cpSync(sample, join(folder, 'plugins', 'units'), { recursive: true })
  const environment = { ...environmentOf(port, folder), CAPSTAN_PLUGIN_ROOT: join(folder, 'plugins') }
  const server = await start(built, { port, folder, path: '/readyz', environment })
  try {
    const own = await alone(folder, times)
    const token = await signIn(port)
    await call(port, 'plugin.install', { path: 'units' }, token)
    const about = { plugin_vendor: 'example', plugin_name: 'units', plugin_version: '1.0.0', step_id: 'convert' }
    const steps = [
      { id: 'start', name: 'start', type: 'api_trigger', parent_id: '', parameters: {} },
      { id: 'act', name: 'act', type: 'action', parent_id: '', parameters: { ...about, input } },
    ]
    const paths = [{ id: 'p', from_step: 'start', to_step: 'act', name: '' }]
    const workflow = await call<{ id: string }>(port, 'workflow.create', { document: { name: 'bench', steps, paths } }, token)
    await call(port, 'workflow.activate', { workflow: workflow.id }, token)
    const took: number[] = []
    for (let turn = 0; turn < times + 5; turn++) {
      const step = await stepOf(port, token, workflow.id)
      if (turn >= 5) took.push(Date.parse(step.ended_at) - Date.parse(step.started_at))
    }
    took.sort((a, b) => a - b)
    const [ours, floor] = [at(took, 0.5), at(own, 0.5)]
    return [
      {
        what: `plugin step over a warm process, p50 (p99 ${at(took, 0.99).toFixed(0)} ms)`,
        ours: `${ours.toFixed(1)} ms`,
        floor: `${floor.toFixed(1)} ms`,
        ratio: `+${(ours - floor).toFixed(1)} ms`,
        bar: `≤ +${mostMs} ms`,
        held: ours - floor <= mostMs,
      },
    ]
  } finally {
    await server.stop()
    remove(folder)
  }
}

async function stepOf(port: number, token: string, workflow: string): Promise<Step> {
  const { id } = await call<Job>(port, 'workflow.run', { workflow, message: {} }, token)
  for (;;) {
    // To ask without a pause would take the server's time from what is measured.
    await new Promise((resolve) => setTimeout(resolve, 25))
    const job = await call<Job>(port, 'job.get', { job: id }, token)
    if (job.ended_at === null) continue
    if (job.status !== 'succeeded') throw new Error(`a job ended as ${job.status}`)
    const { items } = await call<{ items: Step[] }>(port, 'job.list-steps', { job: id }, token)
    const step = items.find((one) => one.step === 'act')
    if (!step) throw new Error('a job has no step')
    return step
  }
}

/** What one call takes that is made straight to the plugin, in milliseconds, sorted. */
async function alone(folder: string, times: number): Promise<number[]> {
  writeFileSync(join(folder, 'gunicorn.json'), JSON.stringify({ bind: 'unix:plugin.sock' }))
  const environment = { PATH: process.env.PATH ?? '', GUNICORN_CONFIG_FILE: 'gunicorn.json' }
  const child = spawn(process.execPath, [join(sample, 'bin/icon_units.ts'), 'http'], { cwd: folder, env: environment, stdio: 'ignore' })
  try {
    const took: number[] = []
    while (took.length < times + 5) {
      const from = performance.now()
      if (await posted(join(folder, 'plugin.sock'))) took.push(performance.now() - from)
      else await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return took.slice(5).sort((a, b) => a - b)
  } finally {
    child.kill('SIGKILL')
  }
}

function posted(socketPath: string): Promise<boolean> {
  const body = JSON.stringify({ version: 'v1', type: 'action_start', body: { action: 'convert', meta: {}, connection: {}, input } })
  return new Promise((resolve) => {
    const sent = request({ socketPath, path: '/actions/convert', method: 'POST', agent: false })
    sent.on('error', () => resolve(false))
    sent.on('response', (answer) => answer.resume().on('end', () => resolve(answer.statusCode === 200)))
    sent.end(body)
  })
}
