import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createProcessRuntime } from '../../src/adapters/runtime/process/runtime.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { silentLog } from '../../src/core/kernel/log.ts'

// The floor of what runs on the process runtime: the same supervised and sandboxed starts, output read and folders removed, without engine, store and API.
//   starts.ts COUNT PARALLEL COMMAND...    prints the milliseconds that they took

const [count = '1', parallel = '1', ...command] = process.argv.slice(2)
const root = mkdtempSync(join(tmpdir(), 'capstan-bench-starts-'))
const runtime = await createProcessRuntime({ root, unsandboxed: false, hide: [], clock: systemClock, log: silentLog })
const held = setInterval(() => {}, 60_000) // supervisors do not keep this process
const { signal } = new AbortController()
const limits = { cpu: null, memoryBytes: null, processes: null }
const removals: Promise<void>[] = []
let next = 0

async function client(): Promise<void> {
  for (let n = next++; n < Number(count); n = next++) {
    const name = `start-${n}`
    const { handle } = await runtime.start({ name, command, environment: {}, code: null, image: null, limits, labels: {}, outputLimit: 1 << 20 })
    const read = (async () => {
      for await (const _ of runtime.output(handle, { offset: 0, signal }));
    })()
    await Promise.all([runtime.wait(handle, { signal }), read])
    removals.push(runtime.remove(name))
  }
}

const began = performance.now()
await Promise.all(Array.from({ length: Number(parallel) }, client))
process.stdout.write(`${performance.now() - began}\n`)
await Promise.all(removals)
await runtime.close()
clearInterval(held)
rmSync(root, { recursive: true, force: true })
