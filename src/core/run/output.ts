import { createMasker } from '../secret/mask.ts'
import type { LogName, RunLog } from '../../ports/run-log.ts'
import type { Handle, Runtime } from '../../ports/runtime.ts'
import type { Exit } from '../../ports/runtime.ts'

/**
 * Carries the output of work into its log, masked. After a restart it begins anew: masking the same output gives the same bytes, so what the log holds
 * already is skipped and nothing is missing or doubled.
 */
async function carryOutput(options: {
  runtime: Runtime
  handle: Handle
  log: RunLog
  name: LogName
  secrets: readonly string[]
  signal: AbortSignal
}): Promise<void> {
  const { runtime, handle, log, name } = options
  const masker = createMasker([...options.secrets])
  let skip: number | null = null
  const put = async (bytes: Uint8Array) => {
    if (bytes.length === 0) return
    skip ??= await log.size(name)
    const fresh = bytes.subarray(Math.min(skip, bytes.length))
    skip -= bytes.length - fresh.length
    if (fresh.length > 0) await log.append(name, fresh)
  }
  for await (const chunk of runtime.output(handle, { offset: 0, signal: options.signal })) await put(masker.push(chunk))
  await put(masker.flush())
}

/** The note that ends a log of which something was dropped. */
function droppedNote(exit: Exit): Uint8Array | null {
  if (exit.outputDropped <= 0) return null
  return new TextEncoder().encode(`\n[capstan: at least ${exit.outputDropped} more bytes of output were not kept]\n`)
}

export { carryOutput, droppedNote }
