import { viewerOf, system } from '../../identity/principal.ts'
import { createMasker } from '../../secret/mask.ts'
import { maskJson } from '../../secret/mask-json.ts'
import { secretContext } from '../../secret/open.ts'
import { sortParameters } from '../connection/parameters.ts'
import { connectionSpecOf, openParameters } from '../connection/spec.ts'
import type { Json } from '../../kernel/json.ts'
import type { Page } from '../../kernel/page.ts'
import type { Ctx } from '../../operation/context.ts'
import type { Services } from '../../operation/services.ts'
import type { PageRequest } from '../../kernel/page.ts'
import type { ResourceRow, SecretRow } from '../../../ports/store/rows.ts'

/** What is shown of jobs and in exports: every stored secret and every secret of a connection masked (contract §20). What goes from step to step is never altered. */
type Shown = { text(text: string): string; json<Value extends Json>(value: Value): Value }

// Shorter ones would hide half of any text.
const shortest = 6
const atOnce = 1000

const bare: Shown = { text: (text) => text, json: (value) => value }
const known = new WeakMap<Services, { readonly stamp: string; readonly shown: Shown }>()

/** The masks of this moment. They are made anew when a secret or a connection has changed, which is looked at each time. */
async function shownOf(ctx: Ctx): Promise<Shown> {
  const secrets = await all((page) => ctx.db.secrets.page({}, page))
  const options = { need: 'read', ownerIsAdmin: true } as const
  const connections = await all((page) => ctx.db.resources.page({ kind: 'connection' }, viewerOf(system), options, page))
  if (secrets.length === 0 && connections.length === 0) return bare
  const stamp = [...secrets.map(({ id, updated_at }) => `${id} ${updated_at}`), ...connections.map(({ id, version }) => `${id} ${version}`)].join()
  const before = known.get(ctx.services)
  if (before?.stamp === stamp) return before.shown
  const values = [...(await valuesOfSecrets(ctx, secrets)), ...connections.flatMap((row) => valuesOfConnection(ctx, row))]
  const long = [...new Set(values)].filter((value) => value.length >= shortest)
  const masker = createMasker(long)
  const shown: Shown = long.length === 0 ? bare : { text: (text) => masker.text(text), json: (value) => maskJson(masker, value) as typeof value }
  known.set(ctx.services, { stamp, shown })
  return shown
}

async function all<Row>(read: (page: PageRequest) => Promise<Page<Row>>): Promise<Row[]> {
  const rows: Row[] = []
  let after: PageRequest['after'] = null
  for (;;) {
    const page: Page<Row> = await read({ limit: atOnce, after })
    rows.push(...page.items)
    if (page.next === null) return rows
    after = JSON.parse(Buffer.from(page.next, 'base64url').toString()) as (string | number)[] // a cursor that a table gave
  }
}

async function valuesOfSecrets(ctx: Ctx, listed: readonly Pick<SecretRow, 'scope'>[]): Promise<string[]> {
  const rows = await ctx.db.secrets.ofScopes([...new Set(listed.map(({ scope }) => scope))])
  return rows.flatMap(({ id, sealed }) => {
    try {
      return [ctx.services.secretBox.open(sealed, secretContext(id)).reveal()]
    } catch (error) {
      ctx.log.warn('secret.not_opened', { secret: id, error })
      return []
    }
  })
}

function valuesOfConnection(ctx: Ctx, row: ResourceRow): readonly string[] {
  try {
    return sortParameters(connectionSpecOf(row).schema, openParameters(ctx.services.secretBox, row)).secrets
  } catch (error) {
    ctx.log.warn('connection.not_opened', { connection: row.id, error })
    return []
  }
}

export type { Shown }
export { shownOf }
