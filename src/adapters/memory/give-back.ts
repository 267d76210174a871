import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../../core/kernel/clock.ts'

const lookMs = 1_000
/** Of one look's time: more than this is work. */
const restingShare = 0.02
/** So many quiet looks one after the other are a rest. */
const restingLooks = 2
/** What must have been allocated since the last time, or it is not worth it. */
const leastBytes = 16 * 1024 * 1024

/**
 * Gives memory back when the server comes to rest after work: V8 keeps what a burst took for the next one, ten to thirty megabytes. One collection, 50 to 100 ms
 * long, when nobody has asked for anything for two seconds. Does nothing where the runtime does not let it (`node --expose-gc`, which `npm start` gives).
 * The returned function ends it.
 */
function giveBackMemory(options: { readonly clock: Clock }): () => void {
  const collect = globalThis.gc
  if (!collect) return () => {}
  let timer = { cancel: () => {} }
  let quiet = 0
  let used = performance.eventLoopUtilization()
  let allocated = 0
  const look = () => {
    timer = options.clock.after(lookMs, look)
    const { utilization } = performance.eventLoopUtilization(used)
    used = performance.eventLoopUtilization()
    quiet = utilization < restingShare ? quiet + 1 : 0
    if (quiet < restingLooks || getHeapStatistics().total_allocated_bytes - allocated < leastBytes) return
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    allocated = getHeapStatistics().total_allocated_bytes
    quiet = 0
  }
  look()
  return () => timer.cancel()
}

export { giveBackMemory }
