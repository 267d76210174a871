import type { QueryResult } from 'pg'
import { StoreUnavailable } from '../../../ports/store/store.ts'
import { Conflict, postgresDialect, storable } from '../sql/sql.ts'
import type { Raw, Sql, Value } from '../sql/sql.ts'
import { duplicateKey } from '../sql/unique.ts'

/** A pool or one of its clients. */
type Queryable = { query(config: { text: string; name?: string; values?: unknown[] }): Promise<QueryResult<Raw>> }

// A server keeps what is prepared for as long as the connection lives: lists put together from rare filters stay unnamed beyond this.
const namedStatements = 1000
const prepared = new Map<string, { text: string; name?: string }>()

/** The text with `$1 …` for `?`, and a name by which the server keeps its plan. Our statements have no `?` of another meaning. */
function statement(text: string): { text: string; name?: string } {
  const known = prepared.get(text)
  if (known) return known
  let count = 0
  const numbered = text.replace(/\?/g, () => `$${++count}`)
  if (prepared.size >= namedStatements) return { text: numbered }
  const made = { text: numbered, name: `capstan_${prepared.size}` }
  prepared.set(text, made)
  return made
}

/** Sends one statement, with errors translated. */
async function query(target: Queryable, text: string, values: readonly Value[] = []): Promise<QueryResult<Raw>> {
  try {
    return await target.query({ ...statement(text), values: values.map(storable) })
  } catch (error) {
    throw translate(error)
  }
}

/** Sends one statement that is needed once: nothing is kept of it. */
async function command(target: Queryable, text: string): Promise<QueryResult<Raw>> {
  try {
    return await target.query({ text })
  } catch (error) {
    throw translate(error)
  }
}

// Statements that can break a uniqueness which callers may answer to within the transaction, as SQLite lets them: there a failed statement undoes only
// itself, here it would end the transaction.
const mayBreak = /^(insert into|update) (user_account|resource|api_key|schedule)\b/

/** The statements' executor over a pool, or over one client in a transaction. */
function sqlOver(target: Queryable, options: { transaction: Transaction | null }): Sql {
  const { transaction } = options
  const send = async (text: string, values: readonly Value[] | undefined) => {
    if (transaction?.ended) throw new Error('A write was used after it had ended')
    try {
      return transaction && mayBreak.test(text) ? await guarded(target, text, values) : await query(target, text, values)
    } catch (error) {
      if (transaction && error instanceof Conflict) transaction.conflict = error
      throw error
    }
  }
  return {
    dialect: postgresDialect,
    all: async (text, values) => (await send(text, values)).rows,
    one: async (text, values) => (await send(text, values)).rows[0] ?? null,
    run: async (text, values) => (await send(text, values)).rowCount ?? 0,
  }
}

/** What is known of a transaction while its closure runs. */
type Transaction = { ended: boolean; conflict: Conflict | null }

async function guarded(target: Queryable, text: string, values: readonly Value[] | undefined): Promise<QueryResult<Raw>> {
  await query(target, 'savepoint guarded')
  try {
    const result = await query(target, text, values)
    await query(target, 'release savepoint guarded')
    return result
  } catch (error) {
    if (!(error instanceof StoreUnavailable) && !(error instanceof Conflict)) await query(target, 'rollback to savepoint guarded')
    throw error
  }
}

// Classes and codes of "PostgreSQL Error Codes" after which trying again later can help, or an operator must act.
const unavailable = /^(08|53|57P|58|25006|XX)/

/** PostgreSQL's error, or that of the way to it, as one of the port's; as it is when the statement itself is wrong. */
function translate(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code, table, constraint } = error as { code?: unknown; table?: unknown; constraint?: unknown } // the fields of the wire protocol's error
  if (!('severity' in error)) return new StoreUnavailable('The database cannot be reached.', { cause: error })
  if (code === '40001' || code === '40P01') return new Conflict('Another transaction was faster.', { cause: error })
  if (code === '23505' && typeof table === 'string' && typeof constraint === 'string') {
    const column = constraint.slice(table.length + 1)
    return duplicateKey(table, column === 'pkey' ? 'id' : column, error)
  }
  if (typeof code === 'string' && unavailable.test(code)) return new StoreUnavailable(`The database cannot be used now (${code}).`, { cause: error })
  return error
}

export type { Queryable, Transaction }
export { query, command, sqlOver, translate }
