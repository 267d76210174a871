import { problemsFault, fault } from '../kernel/fault.ts'
import { validator } from '../kernel/schema.ts'
import { reaches } from '../identity/scope.ts'
import { isSignedIn } from '../identity/principal.ts'
import { find } from '../access/find.ts'
import { readingContext } from './invoke.ts'
import type { Call } from './invoke.ts'
import type { Services } from './services.ts'
import { sleep } from '../kernel/clock.ts'
import type { Static, TSchema } from '../kernel/schema.ts'
import type { Ctx } from './context.ts'
import type { Found, FoundAll, SubjectRule } from './operation.ts'

/** Something to follow: the same checks as an operation of effect `read`, then items until the signal is aborted. */
type AnyStream = {
  readonly name: string
  readonly summary: string
  readonly input: TSchema
  readonly access: 'anyone' | 'signed-in'
  readonly subjects: Readonly<Record<string, SubjectRule<unknown>>>
  readonly run: (ctx: Ctx, input: unknown, found: Readonly<Record<string, Found>>) => AsyncIterable<unknown>
}

/** Declares a stream, with the types of its own input inside. */
function defineStream<I extends TSchema, const S extends Readonly<Record<string, SubjectRule<Static<I>>>>>(stream: {
  readonly name: string
  readonly summary: string
  readonly input: I
  readonly access: 'anyone' | 'signed-in'
  readonly subjects: S
  readonly run: (ctx: Ctx, input: Static<I>, found: FoundAll<S>) => AsyncIterable<unknown>
}): AnyStream {
  // As in defineOperation: the input is checked against the schema before `run` sees it.
  return stream as unknown as AnyStream
}

/** Checks the caller, the input and the subjects of the stream of this name, and gives its items. */
async function openStream(
  services: Services,
  call: Call,
  streams: readonly AnyStream[],
  name: string,
  input: unknown,
): Promise<AsyncIterable<unknown>> {
  const stream = streams.find((candidate) => candidate.name === name)
  if (!stream) throw fault('operation_not_found', { operation: name })
  const ending = new AbortController()
  const signal = call.signal ? AbortSignal.any([call.signal, ending.signal]) : ending.signal
  const ctx = readingContext(services, { ...call, signal })
  if (!reaches(ctx.principal, { name: stream.name, effect: 'read' })) {
    throw fault('forbidden', { operation: name, need: 'a credential with a scope for it', subject: 'this server' })
  }
  if (stream.access === 'signed-in' && !isSignedIn(ctx.principal)) throw fault('unauthenticated')
  const problems = (await validator(stream.input))(input)
  if (problems.length > 0) throw problemsFault('invalid_input', stream.name, problems)
  const found: Record<string, Found> = {}
  for (const [subject, rule] of Object.entries(stream.subjects)) {
    const reference = rule.reference(input)
    if (reference !== undefined) found[subject] = await find(ctx, rule, reference, stream.name)
  }
  return whileValid(ctx, ending, stream.run(ctx, input, found))
}

const lookAgainMs = 2000

// A stream may be open for days: it ends within seconds when its caller's account, session or key does.
async function* whileValid(ctx: Ctx, ending: AbortController, items: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const look = async (): Promise<void> => {
    while (await isStillValid(ctx).catch(() => true)) await sleep(ctx.clock, lookAgainMs, ending.signal)
    ending.abort(new Error('The account, session or key of this stream has ended'))
  }
  look().catch(() => {}) // the sleep ends with the stream
  try {
    yield* items
  } finally {
    ending.abort(new Error('The stream has ended'))
  }
}

/** Whether what proved the caller still does. */
async function isStillValid({ principal, db, clock }: Ctx): Promise<boolean> {
  if (principal.kind === 'anonymous' || principal.kind === 'system') return true
  const user = await db.users.byId(principal.id)
  if (!user?.active) return false
  const { credentialId } = principal
  if (credentialId === null) return true
  if (principal.credential === 'api-key') {
    const key = await db.apiKeys.byId(credentialId)
    return key !== null && (key.expires_at === null || key.expires_at > clock.now())
  }
  const session = principal.credential === 'cookie' || principal.credential === 'bearer' ? await db.sessions.byId(credentialId) : null
  return session === null || (session.ended_at === null && session.expires_at > clock.now())
}

export type { AnyStream }
export { defineStream, openStream }
