import { setTimeout } from 'node:timers/promises'

type Start = {
  readonly meta?: unknown
  readonly input?: { readonly to?: number; readonly pause?: number }
  readonly dispatcher?: { readonly url?: string }
}

/** Posts an event for each number, the next one only when the one before was taken. */
export async function count({ meta = {}, input = {}, dispatcher = {} }: Start): Promise<void> {
  for (let number = 1; number <= (input.to ?? 1); number++) {
    const body = JSON.stringify({ version: 'v1', type: 'trigger_event', body: { meta, output: { number }, log: `counted to ${number}\n` } })
    const response = await fetch(dispatcher.url ?? '', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) throw new Error(`the event ${number} was answered with ${response.status}`)
    await setTimeout((input.pause ?? 1) * 1000)
  }
}
