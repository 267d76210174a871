import { memberOf, objectMember } from '../document/members.ts'
import type { WorkflowStep } from '../document/model.ts'

/** Bounds of `parameters.reminder`, our extension on a human decision that tells somebody. */
const reminderLimits = { leastSeconds: 1, mostSeconds: 31 * 24 * 3600, most: 20 } as const

/** Every how many milliseconds a step that waits for a person writes again to whom it asked; null: it never does. */
function reminderOf({ type, is_disabled, parameters }: WorkflowStep): number | null {
  const seconds = memberOf(parameters, 'reminder')
  if (type !== 'human_decision' || is_disabled || !isReminder(seconds) || Object.keys(objectMember(parameters, 'notifications')).length === 0)
    return null
  return Math.round(seconds * 1000)
}

function isReminder(value: unknown): value is number {
  return typeof value === 'number' && value >= reminderLimits.leastSeconds && value <= reminderLimits.mostSeconds
}

/**
 * When the next reminder of a question is due that was asked at `asked`; null when all of them have been. It follows from the two times alone: after a
 * restart nothing has to be known of those that were sent, and those that came due meanwhile are left out.
 */
function nextReminder(asked: number, every: number, now: number): number | null {
  const next = Math.max(Math.floor((now - asked) / every), 0) + 1
  return next > reminderLimits.most ? null : asked + next * every
}

export { reminderLimits, reminderOf, isReminder, nextReminder }
