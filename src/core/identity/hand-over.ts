import { timingSafeEqual } from 'node:crypto'
import { fault } from '../kernel/fault.ts'
import { isUuid } from '../kernel/id.ts'
import { Closed, Time, Type } from '../kernel/schema.ts'
import { timestamp } from '../kernel/clock.ts'
import { defineOperation } from '../operation/operation.ts'
import { isOpen } from './session.ts'
import type { AnyOperation } from '../operation/operation.ts'
import type { Services } from '../operation/services.ts'

/** How long a code is good for: the time of one redirect. */
const codeMs = 60_000
const state = Type.String({ pattern: '^[0-9a-f]{32}$', description: 'What binds the code to the browser that asked for it.' })

const handOver = defineOperation({
  name: 'session.hand-over',
  summary: 'A code, good once and for a minute, with which the gateway takes the session of this call over to its own origin.',
  input: Closed({ state }),
  output: Closed({ code: Type.String() }),
  access: 'signed-in',
  subjects: {},
  hidden: true,
  example: { state: '00112233445566778899aabbccddeeff' },
  effect: 'read',
  audit: 'none',
  async run(ctx, input) {
    const { credential, credentialId } = ctx.principal
    const session = credential === 'cookie' || credential === 'bearer' ? credentialId : null
    if (session === null) {
      throw fault('state_conflict', {
        what: 'This call',
        state: 'made without a session',
        next: 'Only a call with a session token or cookie has one.',
      })
    }
    const until = ctx.clock.now() + codeMs
    return { code: `${session}.${until}.${codeMark(ctx.services, session, until, input.state)}` }
  },
})

const takeOver = defineOperation({
  name: 'session.take-over',
  summary: 'The session behind a code, as a token that is good at the gateway only.',
  input: Closed({ code: Type.String({ maxLength: 300 }), state }),
  output: Closed({ token: Type.String(), expires_at: Time }),
  access: 'anyone',
  entrance: true,
  subjects: {},
  hidden: true,
  secretMembers: ['code'],
  example: { code: 'x.1.y', state: '00112233445566778899aabbccddeeff' },
  effect: 'act',
  audit: { subject: () => 'session', subjectId: () => null },
  async run(ctx, input) {
    const [session = '', until = '', mark = ''] = input.code.split('.')
    const good = isUuid(session) && /^\d{1,15}$/.test(until) && Number(until) > ctx.clock.now()
    if (!good || !same(mark, codeMark(ctx.services, session, Number(until), input.state))) throw invalid()
    return ctx.write(async ({ db, clock, ids }) => {
      const mine = ids.hex(16)
      const record = { identity: 'gateway', route: 'session.take-over', key: mark, fingerprint: mine, outcome: {}, at: clock.now() }
      const first = await db.idempotency.put(record)
      const row = await db.sessions.byId(session)
      if (first.fingerprint !== mine || !row || !isOpen(row, clock.now())) throw invalid()
      return { token: gatewayToken(ctx.services, session), expires_at: timestamp(row.expires_at) }
    })
  },
})

/** What the gateway's cookie holds: names a session and proves that we said so. It is no token anywhere else. */
function gatewayToken(services: Pick<Services, 'secretBox'>, session: string): string {
  return `${session}.${services.secretBox.fingerprint(session, 'gateway session')}`
}

/** The session that a gateway's cookie names, or null when we did not make it. */
function sessionOfGatewayToken(services: Pick<Services, 'secretBox'>, token: string): string | null {
  const session = token.slice(0, 36)
  return isUuid(session) && same(token, gatewayToken(services, session)) ? session : null
}

function codeMark(services: Services, session: string, until: number, bound: string): string {
  return services.secretBox.fingerprint(`${session}.${until}.${bound}`, 'gateway code')
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

function invalid() {
  return fault('invalid_credential', {}, { private: { note: 'invalid_token' } })
}

const handOverOperations: readonly AnyOperation[] = [handOver, takeOver]

export { handOverOperations, sessionOfGatewayToken }
