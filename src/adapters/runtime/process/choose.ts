import { randomBytes } from 'node:crypto'
import { probe } from './probe.ts'
import type { Mechanism, Sandbox } from './sandbox.ts'
import { createSandbox } from './sandbox.ts'
import type { UidRange } from './uids.ts'
import { createView } from './view.ts'

type Choice = {
  readonly root: string
  readonly unsandboxed: boolean
  readonly hide: readonly string[]
  readonly mechanisms: readonly Mechanism[]
  /** The user ids for work when the server is root, else null. */
  readonly uids: UidRange | null
  /** Further folders of the sandbox's root to mount things at. */
  readonly places?: readonly string[]
}

/** The best sandbox that holds here, found by running each, and why it is not a better one. */
async function chooseSandbox(choice: Choice): Promise<{ readonly sandbox: Sandbox; readonly reason: string | null }> {
  const view = createView(choice.root, choice.hide, choice.places)
  const root = choice.uids !== null
  const none = createSandbox('none', view, { root })
  if (choice.unsandboxed) return { sandbox: none, reason: 'The operator switched the sandbox off.' }
  const reasons: string[] = []
  for (const mechanism of choice.mechanisms) {
    if (mechanism === 'none' || (mechanism === 'user' && !root)) continue
    const sandbox = createSandbox(mechanism, view, { root })
    const uid = sandbox.ownUser && choice.uids ? choice.uids.first + choice.uids.count - 1 : null
    const problem = await probe(sandbox, { root: choice.root, hide: choice.hide, uid, token: randomBytes(8).toString('hex') })
    if (problem === null) return { sandbox, reason: reasons.length > 0 ? reasons.join('; ') : null }
    reasons.push(`${mechanism}: ${problem}`)
  }
  return { sandbox: none, reason: `Work cannot be kept apart here (${reasons.join('; ')}). Install bubblewrap, or allow user namespaces.` }
}

export type { Choice }
export { chooseSandbox }
