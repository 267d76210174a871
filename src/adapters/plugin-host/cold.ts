import { LetGo } from '../../core/kernel/let-go.ts'
import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { capture } from './capture.ts'
import { failed, messageOf, readEnd } from './message.ts'
import type { PluginAnswer, PluginCall } from '../../ports/plugin-host.ts'
import type { Ground } from './ground.ts'
import type { CallEnd } from './message.ts'
import type { Callable } from './started.ts'

/** One call in a process or container of its own (contract §15): the message on standard input, the answer from standard output. */
async function callCold(ground: Ground, callable: Callable, call: PluginCall, signals: Signals): Promise<PluginAnswer> {
  const end = await runOnce(ground, callable, { verb: [verbOf(call)], message: messageOf(call), timeoutMs: call.timeoutMs, ...signals })
  return answerOfEnd(ground, end, call.timeoutMs)
}

function verbOf(call: PluginCall): 'run' | 'test' {
  return call.what === 'test' ? 'test' : 'run'
}

/** What a call has answered whose process has ended. */
function answerOfEnd({ limits }: Ground, end: CallEnd & { readonly stopped: string | null }, timeoutMs: number): PluginAnswer {
  if (end.stopped === 'late') return failed(`plugin timed out after ${Math.round(timeoutMs / 1000)} seconds`, end.stderr)
  if (end.stopped === 'large') return failed(`plugin said more than ${Math.round(limits.outputBytes / 1024 / 1024)} MiB`, end.stderr)
  return readEnd(end)
}

// Who stops the server waits for it.
const letGoMs = 3_000

type Signals = { readonly signal: AbortSignal; readonly closing: AbortSignal }
type Once = Signals & { readonly verb: readonly string[]; readonly message: string; readonly timeoutMs: number }
type Ended = CallEnd & { /** Why it was ended from here; null: it ended by itself. */ readonly stopped: 'late' | 'large' | null }

/** Runs a verb of a plugin to its end. Rejects with the signal's reason, and with `PluginInterrupted` when the server closes meanwhile. */
async function runOnce(ground: Ground, callable: Callable, { verb, message, timeoutMs, signal, closing }: Once): Promise<Ended> {
  signal.throwIfAborted()
  const running = await callable.begin(verb, { signal: AbortSignal.any([signal, closing]) })
  const { graceMs, outputBytes } = ground.limits
  const stopped: { why: Ended['stopped'] | 'aborted' | 'closed' } = { why: null }
  const stop = (why: NonNullable<typeof stopped.why>, grace: number) => {
    stopped.why ??= why
    void running.end(grace)
  }
  const out = capture(running.out, outputBytes, () => stop('large', 0))
  const err = capture(running.err, outputBytes, () => stop('large', 0))
  const timer = ground.clock.after(timeoutMs, () => stop('late', graceMs))
  const abort = () => stop('aborted', signal.reason instanceof LetGo ? Math.min(graceMs, letGoMs) : graceMs)
  const close = () => stop('closed', 0)
  signal.addEventListener('abort', abort, { once: true })
  closing.addEventListener('abort', close, { once: true })
  if (signal.aborted) abort()
  if (closing.aborted) close()
  running.input.end(message)
  const { code, signal: name } = await running.ended
  timer.cancel()
  signal.removeEventListener('abort', abort)
  closing.removeEventListener('abort', close)
  if (stopped.why === 'aborted') throw signal.reason
  if (stopped.why === 'closed') throw new PluginInterrupted('The server stopped while the plugin was called')
  return { stdout: out.text(), stderr: err.tail(), code, signal: name, stopped: stopped.why }
}

export { callCold, runOnce, verbOf, answerOfEnd }
