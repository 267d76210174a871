import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { capture } from './capture.ts'
import { launch } from './launch.ts'
import { failed, messageOf, readEnd } from './message.ts'
import type { PluginAnswer, PluginCall } from '../../ports/plugin-host.ts'
import type { Ground } from './ground.ts'
import type { Program } from './program.ts'

/** One call in a process of its own (contract §15): the message on standard input, the answer from standard output. */
async function callCold(
  ground: Ground,
  program: Program,
  call: PluginCall,
  signals: { signal: AbortSignal; closing: AbortSignal },
): Promise<PluginAnswer> {
  const verb = call.what === 'test' ? 'test' : 'run'
  return runOnce(ground, program, { verb: [verb], message: messageOf(call), timeoutMs: call.timeoutMs, ...signals })
}

type Once = {
  readonly verb: readonly string[]
  readonly message: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly closing: AbortSignal
}

/** Runs a verb of a plugin to its end. Rejects with the signal's reason, and with `PluginInterrupted` when the server closes meanwhile. */
async function runOnce(ground: Ground, program: Program, { verb, message, timeoutMs, signal, closing }: Once): Promise<PluginAnswer> {
  signal.throwIfAborted()
  const running = await launch(ground, {
    ...program.launch,
    how: 'message',
    command: (paths) => program.command(paths, verb),
    environment: (paths) => program.environment(paths),
  })
  const { graceMs, outputBytes } = ground.limits
  const stopped: { why: 'late' | 'large' | 'aborted' | 'closed' | null } = { why: null }
  const stop = (why: NonNullable<typeof stopped.why>, grace: number) => {
    stopped.why ??= why
    void running.end(grace)
  }
  const out = capture(running.out, outputBytes, () => stop('large', 0))
  const err = capture(running.err, outputBytes, () => stop('large', 0))
  const timer = ground.clock.after(timeoutMs, () => stop('late', graceMs))
  const abort = () => stop('aborted', graceMs)
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
  switch (stopped.why) {
    case 'aborted':
      throw signal.reason
    case 'closed':
      throw new PluginInterrupted('The server stopped while the plugin was called')
    case 'late':
      return failed(`plugin timed out after ${Math.round(timeoutMs / 1000)} seconds`, err.tail())
    case 'large':
      return failed(`plugin said more than ${Math.round(outputBytes / 1024 / 1024)} MiB`, err.tail())
    case null:
      return readEnd({ stdout: out.text(), stderr: err.tail(), code, signal: name })
  }
}

export { callCold, runOnce }
