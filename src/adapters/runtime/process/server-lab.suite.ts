import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openProcesses, outputUntil, run, script } from './process-lab.suite.ts'
import type { Mechanism } from './sandbox.ts'

// A server of its own for tests that kill it, or that need one of another user: `node server-lab.suite.ts <what> <home> <mechanism> <JSON>`.

export type Attack = { readonly title: string; readonly script: string; readonly processes?: number }
export type Attacked = {
  readonly mechanism: Mechanism
  readonly reason: string | null
  readonly outputs: Record<string, string>
  readonly alive: boolean
}

export const victimSecret = 'victim-77ab'

async function hold(home: string, mechanism: Mechanism, text: string): Promise<void> {
  const runtime = await openProcesses(home, mechanism)
  const work = script(text)
  const { handle } = await runtime.start(work)
  process.stdout.write(`${JSON.stringify(handle)}\n`)
}

/** Runs the attacks one after the other beside a victim, each told where the server, its data and the victim are. */
async function attack(home: string, mechanism: Mechanism, attacks: readonly Attack[]): Promise<Attacked> {
  const runtime = await openProcesses(home, mechanism)
  const { mechanism: found, reason } = runtime.isolation
  if (found !== mechanism) return { mechanism: found, reason, outputs: {}, alive: true }
  const victim = script('echo up; sleep 600', {
    environment: { VICTIM_SECRET: victimSecret },
    code: async (folder) => writeFileSync(join(folder, 'private'), victimSecret),
  })
  const { handle } = await runtime.start(victim)
  await outputUntil(runtime, victim.name, /up/)
  const root = readdirSync(home).includes('work') ? join(home, 'work') : join(home, 'data', 'work')
  const folder = join(root, victim.name)
  const outputs: Record<string, string> = {}
  for (const { title, script: text, processes } of attacks) {
    const environment = { SERVER: String(process.pid), DATA: join(home, 'data'), VICTIM: folder, VICTIM_PID: String(handle.data.pid) }
    const { output } = await run(runtime, script(text, { environment, limits: { cpu: null, memoryBytes: null, processes: processes ?? null } }))
    outputs[title] = output
  }
  const alive = (await runtime.recover(victim.name)).found === 'running' && readFileSync(join(folder, 'task/code/private'), 'utf8') === victimSecret
  for (const name of await runtime.list()) await runtime.remove(name)
  return { mechanism: found, reason, outputs, alive }
}

const [, , what, home = '', mechanism = 'none', input = 'null'] = process.argv
setInterval(() => {}, 60_000)
if (what === 'hold') await hold(home, mechanism as Mechanism, JSON.parse(input)) // the test that starts this file names one
if (what === 'attack') {
  process.stdout.write(`${JSON.stringify(await attack(home, mechanism as Mechanism, JSON.parse(input)))}\n`, () => process.exit(0))
}
