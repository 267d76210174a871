import type { Place } from '../../../ports/store/runs.ts'
import type { Sql } from './sql.ts'

/** One counted place as a step keeps it: `gauge=amount`. */
export type Held = { readonly gauge: string; readonly amount: number }

export function heldText(places: readonly Place[]): string[] {
  return places.map(({ gauge, amount }) => `${gauge}=${amount}`)
}

/** The places in a step's column `held`. A gauge's name may hold `=`, an amount cannot. */
export function heldPlaces(column: string): Held[] {
  const list = JSON.parse(column) as string[] // written from `heldText` only
  return list.map((text) => {
    const cut = text.lastIndexOf('=')
    return { gauge: text.slice(0, cut), amount: Number(text.slice(cut + 1)) }
  })
}

const takeText = `insert into gauge (name, active) values (?, ?) on conflict (name)
  do update set active = gauge.active + excluded.active where gauge.active + excluded.active <= ?`

/** Takes all places, or none and gives the gauge that refused. */
export async function takePlaces(sql: Sql, places: readonly Place[]): Promise<string | null> {
  for (const [index, { gauge, amount, limit }] of places.entries()) {
    // A gauge that has no row yet counts 0, and the statement checks the limit only of those that have.
    if (amount <= limit && (await sql.run(takeText, [gauge, amount, limit])) > 0) continue
    await givePlaces(sql, places.slice(0, index))
    return gauge
  }
  return null
}

/** Gives places back; a counter never falls below 0. */
export async function givePlaces(sql: Sql, places: readonly Held[]): Promise<void> {
  for (const { gauge, amount } of places)
    await sql.run('update gauge set active = case when active > ? then active - ? else 0 end where name = ?', [amount, amount, gauge])
}

/** Why a step waits that this gauge refused. */
export function reasonOf(gauge: string): 'waiting_for_quota' | 'waiting_for_capacity' {
  return gauge.startsWith('namespace:') ? 'waiting_for_quota' : 'waiting_for_capacity'
}
