import { end, planned } from './machine.ts'
import type { Machine } from './machine.ts'
import { keyOf, phases } from './state.ts'
import type { Frame } from './state.ts'

/**
 * Carries out the order to stop an open graph (deploy contract §12.3): nothing new starts, what waits ends as cancelled, what runs is to be stopped.
 * With clean-up, nodes that start `always` are left alone: those at work go on, the others still run after everything that is being stopped has ended.
 */
export function stopFrame(machine: Machine, frame: Frame, order: { readonly cleanup: boolean }): void {
  if (frame.stopped) return
  frame.stopped = true
  for (let at = 0; at < frame.phase.length; at++) {
    const phase = frame.phase[at]
    if (phase === phases.ended || (order.cleanup && planned(frame, at).always)) continue
    const child = frame.children.get(at)
    if (child) stopFrame(machine, child, order)
    else if (phase === phases.started && isWork(frame, at)) {
      machine.effects.push({ do: 'stop', key: keyOf(frame, at) })
      frame.stopping.add(at)
      machine.holding++
    } else end(machine, frame, at, { state: 'cancelled', reason: 'run_stopped' })
  }
}

// A question or a timer ends as it is told, and a loop between two rounds has nothing left to wait for.
function isWork(frame: Frame, at: number): boolean {
  const { engine, slot } = planned(frame, at)
  return engine && slot
}
