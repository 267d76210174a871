import { capture } from './capture.ts'
import { openDispatcher } from './dispatcher.ts'
import { failed, readEnd, triggerMessage } from './message.ts'
import type { PluginAnswer, PluginEvent, PluginTriggerStart } from '../../ports/plugin-host.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Ground } from './ground.ts'
import type { Callable } from './started.ts'

// A trigger lives long and talks much: only what it said last is kept.
const keptBytes = 64 * 1024
// A server that stops waits for all of them.
const stopMs = 3_000

/** Runs a trigger until it ends by itself or the signal comes. Resolves with how it ended; `ok` when it was asked to. */
async function runTrigger(
  ground: Ground,
  callable: Callable,
  start: PluginTriggerStart,
  { signal, onEvent }: { signal: AbortSignal; onEvent(event: PluginEvent): Promise<void> },
): Promise<PluginAnswer> {
  signal.throwIfAborted()
  const opened: { dispatcher: Dispatcher | null } = { dispatcher: null }
  try {
    const running = await callable.begin(['run'], {
      signal,
      async lay(folder) {
        opened.dispatcher = await openDispatcher(folder, { cut: callable.cut, onEvent })
        return opened.dispatcher.doors
      },
    })
    const out = capture(running.out, keptBytes, () => {})
    const err = capture(running.err, 0, () => {})
    const stop = () => void running.end(Math.min(ground.limits.graceMs, stopMs))
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    running.input.end(triggerMessage(start, opened.dispatcher?.url ?? ''))
    const { code, signal: name } = await running.ended
    signal.removeEventListener('abort', stop)
    if (signal.aborted) return { status: 'ok', output: null, log: err.tail(), error: null, exception: null }
    const answer = readEnd({ stdout: out.over ? out.tail() : out.text(), stderr: err.tail(), code, signal: name })
    return answer.status === 'ok' ? failed(`the trigger ended with ${code ?? name}`, answer.log) : answer
  } finally {
    opened.dispatcher?.close()
  }
}

export { runTrigger }
