import { isJsonObject, memberOf, objectMember, textMember } from '../document/members.ts'
import { fits, triggerOf } from './model.ts'
import { mayReadAll, queueEvent } from './queue.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Fact } from '../../webhook/fact.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import type { Trigger } from './model.ts'

const typeOf: Readonly<Record<string, 'push' | 'pull_request' | 'run'>> = { push: 'push', 'pull-request': 'pull_request', run: 'run' }

/**
 * Puts a fact into the queue of each workflow that one like it starts, in the caller's transaction: what happened and that it starts workflows become
 * durable together.
 */
async function queueTriggers(db: Tables, fact: Fact): Promise<void> {
  const type = Object.hasOwn(typeOf, fact.event) ? typeOf[fact.event] : undefined
  if (!type) return
  for (const row of await db.workflowTriggers.bound(type)) {
    const message = fact.at >= row.created_at ? messageOf(triggerOf(row), fact) : null
    if (!message) continue
    const event = { id: `${fact.event}.${fact.id}`, at: fact.at, message, cause: fact.cause ?? null }
    // With the rights of now of whoever owns the workflow: it hears only of what they could look at themselves.
    await queueEvent(db, row, event, {
      mayHear: (owner) => (fact.about.length === 0 ? Promise.resolve(owner.administrator) : mayReadAll(db, owner, fact.about)),
    })
  }
}

/** What the jobs are told of a fact; null when the trigger is not about it. */
function messageOf(trigger: Trigger, fact: Fact): JsonObject | null {
  if (trigger.type === 'push') return ofRepository(trigger.repository, fact) ? pushMessage(trigger.branches, fact) : null
  if (trigger.type === 'pull_request') {
    const wanted = trigger.actions.length === 0 || trigger.actions.includes(textMember(fact.data, 'action'))
    return wanted && ofRepository(trigger.repository, fact) ? { repository: fact.repository?.name ?? '', ...fact.data } : null
  }
  if (trigger.type !== 'run') return null
  const run = objectMember(fact.data, 'run')
  const among = (list: readonly string[], name: string) => list.length === 0 || list.includes(textMember(run, name))
  const named = trigger.name === '' || fits(trigger.name, textMember(run, 'name'))
  return named && among(trigger.kinds, 'kind') && among(trigger.states, 'state') ? { ...fact.data } : null
}

function ofRepository(wanted: string, { repository }: Fact): boolean {
  return repository !== null && (wanted === '' || wanted === repository.name || wanted === repository.id)
}

/** The first branch that fits and that the push left there; what was deleted starts nothing. */
function pushMessage(branches: readonly string[], fact: Fact): JsonObject | null {
  const push = objectMember(fact.data, 'push')
  const changes = memberOf(push, 'changes')
  for (const change of Array.isArray(changes) ? changes.filter(isJsonObject) : []) {
    const ref = textMember(change, 'ref')
    const commit = textMember(change, 'to')
    const branch = ref.replace(/^refs\/heads\//, '')
    if (branch === ref || commit === '' || !(branches.length === 0 || branches.some((pattern) => fits(pattern, branch)))) continue
    return {
      repository: fact.repository?.name ?? '',
      repository_id: fact.repository?.id ?? '',
      branch,
      ref,
      commit,
      before: memberOf(change, 'from') ?? null,
      by: memberOf(fact.data, 'by') ?? '',
      push,
    }
  }
  return null
}

export { queueTriggers }
