import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { flowLimits } from '../../flow/graph.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { UserRow } from '../../../ports/store/rows.ts'
import type { WorkflowStep } from '../document/model.ts'

/** The action `ask_approval` of the plugin `capstan`: the graph asks, so that the question survives a restart and is answered as decisions are. */
function isApproval({ type, is_disabled, plugin, parameters }: WorkflowStep): boolean {
  if (type !== 'action' || is_disabled || textMember(parameters, 'repeatVariable') !== '') return false
  return plugin?.vendor === 'capstan' && plugin.name === 'capstan' && plugin.identifier === 'ask_approval'
}

/** What a person may answer, in the form of the choices of a decision. */
const approvalChoices: readonly JsonObject[] = ['approve', 'refuse'].map((edge) => ({ edge, path: edge, timeout_only: false }))

/** How long it is waited for an answer, and what it means that none came: nobody approves by not answering. */
function approvalWait({ parameters }: WorkflowStep) {
  const seconds = memberOf(objectMember(parameters, 'input'), 'timeout')
  const timeout_ms = typeof seconds === 'number' && seconds > 0 ? Math.min(Math.round(seconds * 1000), flowLimits.waitMs) : null
  return { timeout_ms, on_timeout: 'continue' as const, default: { edge: 'refuse', path: 'refuse', user_name: '' } }
}

/** What the step gives on. */
function approvalEntry(output: JsonObject): JsonObject {
  return {
    approved: textMember(output, 'edge') === 'approve',
    user_name: textMember(output, 'user_name'),
    timed_out: memberOf(output, 'timed_out') === true,
  }
}

/** Whom an approval asks, as its input says when it is filled: numbers, ids or names of users. Nobody: whoever may run the workflow. */
function askedIn(input: Json): string[] {
  const users = isJsonObject(input) ? memberOf(input, 'users') : undefined
  return Array.isArray(users) ? users.filter((user) => typeof user === 'string' || typeof user === 'number').map(String) : []
}

/** The user of a number, id or name; null when there is none. */
async function userAt(db: Pick<Tables, 'users'>, reference: string): Promise<UserRow | null> {
  if (/^\d{1,9}$/.test(reference)) return db.users.bySerial(Number(reference))
  return (await db.users.byId(reference)) ?? (await db.users.byName(reference))
}

/** Whether a user is among those who are asked. */
async function isAsked(db: Pick<Tables, 'users'>, input: Json, id: string): Promise<boolean> {
  const asked = askedIn(input)
  if (asked.length === 0) return true
  for (const reference of asked) if ((await userAt(db, reference))?.id === id) return true
  return false
}

export { isApproval, approvalChoices, approvalWait, approvalEntry, askedIn, isAsked, userAt }
