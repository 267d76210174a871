import { isEnd, runStates } from '../../../kernel/run-state.ts'
import { textMember } from '../../document/members.ts'
import { ActionFailed } from '../builtin.ts'
import { asStarter } from '../operation.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { BuiltinContext } from '../builtin.ts'

/** Events tell of an end; one that is lost on its way from another server is seen when this has passed. */
const lookAgainMs = 30_000

type RunEnd = { readonly run: string; readonly name: string; readonly state: string; readonly succeeded: boolean }

/** Whether the step is part of the run that is named. */
async function isAround({ services, run }: BuiltinContext, id: string): Promise<boolean> {
  for (let around: string | null = run.id; around !== null; ) {
    if (around === id.toLowerCase()) return true
    around = (await services.store.reader.runs.byId(around))?.parent_id ?? null
  }
  return false
}

/** How a run stands when it has ended. It is read as the starter of the job, who must be allowed to. */
async function awaitRun(context: BuiltinContext, run: string): Promise<RunEnd> {
  if (await isAround(context, run)) throw new ActionFailed('A step cannot wait for the job that it is part of')
  for (;;) {
    // Heard from before it is read: an end in between is not missed.
    const heard = nextEvent(context, run)
    try {
      const end = runEnd(await asStarter(context, 'run.get', { run }))
      if (isEnd(stateOf(end.state))) return end
      context.log(`${end.name}: ${end.state}`)
      await heard.happened
    } finally {
      heard.stop()
    }
  }
}

/** The end of a run that was awaited, or a failure where it did not succeed and that counts. */
async function endedRun(context: BuiltinContext, run: string, allowFailure: boolean): Promise<JsonObject> {
  const end = await awaitRun(context, run)
  if (!end.succeeded && !allowFailure) throw new ActionFailed(`The run ${end.run} of "${end.name}" ended as ${end.state}`)
  return { ...end }
}

function runEnd(view: JsonObject): RunEnd {
  const state = textMember(view, 'state')
  return { run: textMember(view, 'id'), name: textMember(view, 'name'), state, succeeded: state === 'succeeded' }
}

function stateOf(text: string) {
  const state = runStates.find((one) => one === text)
  if (!state) throw new ActionFailed(`The run has the state "${text}"`)
  return state
}

/** The next news of a run, or the time to look again. */
function nextEvent({ services, signal }: BuiltinContext, run: string): { readonly happened: Promise<void>; stop(): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const unsubscribe = services.events.subscribe((event) => {
    if (event.kind === 'run' && event.id === run) resolve()
  })
  const timer = services.clock.after(lookAgainMs, resolve)
  const aborted = () => reject(signal.reason)
  if (signal.aborted) aborted()
  signal.addEventListener('abort', aborted, { once: true })
  // Nobody may be waiting for it any more.
  promise.catch(() => {})
  return {
    happened: promise,
    stop() {
      unsubscribe()
      timer.cancel()
      signal.removeEventListener('abort', aborted)
    },
  }
}

export { endedRun, runEnd }
