import { createHash } from 'node:crypto'
import type { Ctx, WriteCtx } from '../operation/context.ts'
import type { TokenClaims } from '../../ports/tokens.ts'
import type { SessionRow, UserRow } from '../../ports/store/rows.ts'

const hourMs = 3_600_000

type OpenedSession = { readonly token: string; readonly row: SessionRow }

/** A session of a user and the token for it, written in the transaction of `ctx`. */
async function openSession(ctx: WriteCtx, user: UserRow): Promise<OpenedSession> {
  const now = ctx.clock.now()
  const id = ctx.ids.opaque()
  const expiresAt = now + ctx.services.settings.sessionHours * hourMs
  const row = rowOf(ctx, user.id, { id, createdAt: now, expiresAt })
  const claims = { sub: user.id, sid: id, ...(user.email ? { email: user.email } : {}), iat: seconds(now), exp: seconds(expiresAt) }
  await ctx.db.sessions.insert(row)
  return { token: ctx.services.tokens.sign(claims), row }
}

/** The same session under a token with other claims, which an API's clients read: the old token ends, and it expires when the claims say. */
async function reissueSession(ctx: WriteCtx, session: SessionRow, claims: TokenClaims, expiresAt: number): Promise<OpenedSession> {
  const token = ctx.services.tokens.sign(claims)
  const row = rowOf(ctx, session.user_id, { id: sessionIdOf(token, claims), createdAt: session.created_at, expiresAt })
  await ctx.db.sessions.end(session.id, ctx.clock.now())
  await ctx.db.sessions.insert(row)
  return { token, row }
}

/** The session that a token stands for: the one that it names, else the one that its own hash names. */
function sessionIdOf(token: string, claims: TokenClaims): string {
  if (claims.sid !== undefined) return claims.sid
  const hex = createHash('sha256').update(token).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

function isOpen(session: SessionRow, now: number): boolean {
  return session.ended_at === null && session.expires_at > now
}

function rowOf(ctx: Ctx, userId: string, { id, createdAt, expiresAt }: { id: string; createdAt: number; expiresAt: number }): SessionRow {
  const { via, peer } = ctx.origin
  return { id, user_id: userId, created_at: createdAt, expires_at: expiresAt, ended_at: null, via, peer }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

export type { OpenedSession }
export { openSession, reissueSession, sessionIdOf, isOpen }
