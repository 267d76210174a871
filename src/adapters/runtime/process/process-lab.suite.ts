import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../core/kernel/clock.ts'
import { systemIds } from '../../../core/kernel/id.ts'
import { silentLog } from '../../../core/kernel/log.ts'
import type { Exit, Runtime, Work } from '../../../ports/runtime.ts'
import { createProcessRuntime } from './runtime.ts'
import type { ProcessOptions, ProcessRuntime } from './runtime.ts'
import type { Mechanism } from './sandbox.ts'

// Helpers of this folder's tests.

export const secretText = 'canary-4f1c'

/** A driver over `home`: work in `home/work`, and beside it `home/data`, a data folder with a secret that no work may see. */
export async function openProcesses(home: string, mechanism: Mechanism, change: Partial<ProcessOptions> = {}): Promise<ProcessRuntime> {
  const data = join(home, 'data')
  chmodSync(home, 0o711)
  mkdirSync(data, { recursive: true, mode: 0o700 })
  writeFileSync(join(data, 'secret'), secretText)
  // Without namespaces work must reach its folder by the host's paths, so that one lies outside of what is hidden.
  const root = mechanism === 'user' || mechanism === 'none' ? join(home, 'work') : join(data, 'work')
  return createProcessRuntime({
    root,
    unsandboxed: mechanism === 'none',
    hide: [data],
    clock: systemClock,
    log: silentLog,
    mechanisms: [mechanism],
    ...change,
  })
}

/** The mechanisms that this machine offers, `none` always. One named in CAPSTAN_TEST_REQUIRE (`bwrap`) and missing is an error. */
export async function mechanismsHere(): Promise<Mechanism[]> {
  const found: Mechanism[] = []
  for (const mechanism of ['bubblewrap', 'namespaces', 'user'] as const) {
    const home = mkdtempSync(join(tmpdir(), 'capstan-probe-'))
    const runtime = await openProcesses(home, mechanism)
    await runtime.close()
    rmSync(home, { recursive: true, force: true })
    if (runtime.isolation.mechanism === mechanism) found.push(mechanism)
    else if (mechanism === 'bubblewrap' && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('bwrap'))
      throw new Error(`bwrap is required: ${runtime.isolation.reason}`)
    else console.warn(`Tests of "${mechanism}" are left out. ${runtime.isolation.reason}`)
  }
  return [...found, 'none']
}

/** Work that runs a shell script. */
export function script(text: string, change: Partial<Work> = {}): Work {
  return {
    name: `test-${systemIds.hex(6)}-1`,
    command: ['/bin/sh', '-c', text],
    environment: {},
    code: null,
    image: null,
    limits: { cpu: null, memoryBytes: null, processes: null },
    outputLimit: 1_000_000,
    labels: {},
    ...change,
  }
}

const never = new AbortController().signal

/** Runs work to its end. */
export async function run(runtime: Runtime, work: Work): Promise<{ exit: Exit; output: string }> {
  const { handle } = await runtime.start(work)
  const exit = await runtime.wait(handle, { signal: never })
  return { exit, output: await outputOf(runtime, work.name) }
}

/** All output of work that has ended or will. */
export async function outputOf(runtime: Runtime, name: string): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of runtime.output({ name, runtime: runtime.name, data: {} }, { offset: 0, signal: never })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** The output up to the first line that matches, while the work goes on. */
export async function outputUntil(runtime: Runtime, name: string, pattern: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of runtime.output({ name, runtime: runtime.name, data: {} }, { offset: 0, signal: never })) {
    text += Buffer.from(chunk).toString()
    if (pattern.test(text)) return text
  }
  throw new Error(`the output ended without ${pattern}: ${text}`)
}
