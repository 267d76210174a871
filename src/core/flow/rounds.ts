import type { Json } from '../kernel/json.ts'
import { newBudget, sizeIn } from './expression.ts'
import { ExpressionError } from './expression-parser.ts'
import { flowLimits } from './graph.ts'
import { end, planned, settle } from './machine.ts'
import type { Machine } from './machine.ts'
import type { Plan, PlanLoop } from './plan.ts'
import { keyOf, newFrame, phases } from './state.ts'
import type { Frame, LoopRun, LoopView } from './state.ts'
import { condition, filled, value } from './values.ts'

/** Opens a scope's body; its nodes are looked at by the task that this plans. */
function openScope(machine: Machine, frame: Frame, at: number): Frame {
  const body = planned(frame, at).body as Plan // a scope has one
  const child = newFrame(body, { prefix: `${keyOf(frame, at)}/0/`, parent: { frame, index: at }, round: 0, loop: frame.loop })
  frame.children.set(at, child)
  machine.agenda.push({ task: 'sweep', frame: child })
  return child
}

/** What a loop goes over, evaluated: once when it begins, and again when the run is restored. */
async function loopRun(machine: Machine, frame: Frame, at: number): Promise<LoopRun> {
  const { over } = planned(frame, at).loop as PlanLoop // a loop has one
  const last = roundFrame(frame, at, 0, null)
  if (over.kind === 'items') {
    const items = await value(machine, frame, over.items)
    if (!Array.isArray(items)) throw new ExpressionError('type', over.items.at, 'a loop goes over a list')
    return { items, times: null, round: 0, last }
  }
  if (over.kind === 'while') return { items: null, times: null, round: 0, last }
  const times = typeof over.times === 'number' ? over.times : await value(machine, frame, over.times)
  if (typeof times !== 'number' || !Number.isInteger(times) || times < 0) throw new ExpressionError('type', 0, 'a loop runs a whole number of times')
  return { items: null, times, round: 0, last }
}

/** The graph of one round, in which nothing has happened. */
function roundFrame(frame: Frame, at: number, round: number, run: LoopRun | null): Frame {
  const body = planned(frame, at).body as Plan // a loop has one
  return newFrame(body, { prefix: `${keyOf(frame, at)}/${round}/`, parent: { frame, index: at }, round, loop: viewOf(frame, run, round) })
}

function viewOf(frame: Frame, run: LoopRun | null, round: number): LoopView {
  return { index: round - 1, item: run?.items?.[round - 1], outer: frame.loop }
}

/** Begins the next round of a loop, or ends the loop. */
async function nextRound(machine: Machine, frame: Frame, at: number): Promise<void> {
  const run = frame.loops.get(at)
  const node = planned(frame, at).node
  if (!run || node.kind !== 'loop' || frame.phase[at] !== phases.started) return
  const round = run.round + 1
  await guarded(machine, frame, at, async () => {
    if (!(await goesOn(machine, frame, at, run))) return endLoop(machine, frame, at, { broke: false })
    // Told before the first round where it can be: a loop that cannot end must not do half of its work.
    const rounds = run.items?.length ?? run.times ?? round
    if (rounds > node.max_rounds) {
      return end(machine, frame, at, {
        state: 'failed',
        reason: 'too_many_rounds',
        message: `This loop may run ${node.max_rounds} rounds and wants more.`,
      })
    }
    if (machine.steps >= machine.limits.steps) {
      return end(machine, frame, at, { state: 'failed', reason: 'too_many_steps', message: `A run may make ${machine.limits.steps} steps.` })
    }
    const child = roundFrame(frame, at, round, run)
    run.round = round
    run.last = child
    frame.children.set(at, child)
    machine.agenda.push({ task: 'sweep', frame: child })
  })
}

async function goesOn(machine: Machine, frame: Frame, at: number, run: LoopRun): Promise<boolean> {
  if (run.items) return run.round < run.items.length
  if (run.times !== null) return run.round < run.times
  const over = planned(frame, at).loop?.over
  return over?.kind === 'while' && condition(machine, run.last, over.while, viewOf(frame, run, run.round + 1))
}

/** What follows when every node of a body has ended: the end of its scope, or the end or the next round of its loop. */
async function bodyClosed(machine: Machine, child: Frame): Promise<void> {
  if (!child.parent) return
  const { frame, index: at } = child.parent
  const { template, loop } = planned(frame, at)
  frame.children.delete(at)
  if (child.stopped) return end(machine, frame, at, { state: 'cancelled', reason: 'run_stopped' })
  if (child.failed !== null) {
    return end(machine, frame, at, { state: 'failed', reason: 'body_failed', message: `The step "${child.failed}" failed.` }, child.failed)
  }
  await guarded(machine, frame, at, async () => {
    if (!loop) return end(machine, frame, at, { state: 'succeeded', output: template && (await filled(machine, child, template)) })
    if (loop.breakIf && (await condition(machine, child, loop.breakIf))) return endLoop(machine, frame, at, { broke: true })
    machine.agenda.push({ task: 'round', frame, at })
  })
}

async function endLoop(machine: Machine, frame: Frame, at: number, { broke }: { broke: boolean }): Promise<void> {
  const run = frame.loops.get(at)
  const collect = planned(frame, at).loop?.collect
  if (!run) return settle(machine, frame, at, 'success')
  const output = { rounds: run.round, broke }
  if (!collect) return end(machine, frame, at, { state: 'succeeded', output })
  const collected: Json[] = []
  let size = 0
  // Only now, and from the rows, which cannot have changed: nothing is kept for a round while the loop goes on.
  for (let round = 1; round <= run.round; round++) {
    const past = roundFrame(frame, at, round, run)
    past.phase.fill(phases.ended)
    const item = await value(machine, past, collect)
    size += sizeIn(item, collect.at, newBudget())
    if (size > flowLimits.collected) {
      const message = `What this loop collects is longer than ${flowLimits.collected} characters. Collect less of each round.`
      return end(machine, frame, at, { state: 'failed', reason: 'output_too_large', message })
    }
    collected.push(item)
  }
  return end(machine, frame, at, { state: 'succeeded', output: { ...output, collected } })
}

/** Does `work`; an expression that fails in it fails the node. */
async function guarded(machine: Machine, frame: Frame, at: number, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    end(machine, frame, at, { state: 'failed', reason: 'expression_failed', message: error.message })
  }
}

export { openScope, loopRun, roundFrame, nextRound, bodyClosed, guarded }
