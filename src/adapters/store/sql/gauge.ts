import type { Place } from '../../../ports/store/runs.ts'

/** One counted place as a step keeps it: `gauge=amount`. */
type Held = { readonly gauge: string; readonly amount: number }

function heldText(places: readonly Place[]): string[] {
  return places.map(({ gauge, amount }) => `${gauge}=${amount}`)
}

/** The places in a step's `held`. A gauge's name may hold `=`, an amount cannot. */
function heldPlaces(held: readonly string[]): Held[] {
  return held.map((text) => {
    const cut = text.lastIndexOf('=')
    return { gauge: text.slice(0, cut), amount: Number(text.slice(cut + 1)) }
  })
}

/** Why a step waits that this gauge refused. */
function reasonOf(gauge: string): 'waiting_for_quota' | 'waiting_for_capacity' {
  return gauge.startsWith('namespace:') ? 'waiting_for_quota' : 'waiting_for_capacity'
}

export type { Held }
export { heldText, heldPlaces, reasonOf }
