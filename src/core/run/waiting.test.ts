import { expect, test } from 'vitest'
import { WaitingRoom } from './waiting.ts'
import type { Waiter } from './waiting.ts'

/** A room whose steps are started unless one of these gauges is full. */
function open(full: Set<string>) {
  const tried: string[] = []
  const started: string[] = []
  const room = new WaitingRoom({
    onError: (error) => {
      throw error
    },
  })
  const add = (namespace: string, name: string, ...gauges: string[]) => {
    const places = gauges.map((gauge) => ({ gauge, amount: 1, limit: 1 }))
    const start: Waiter['start'] = async () => {
      tried.push(name)
      const refusal = gauges.find((gauge) => full.has(gauge)) ?? null
      if (refusal === null) started.push(name)
      return refusal
    }
    room.add({ namespace, places, start })
    room.freed()
  }
  return { room, add, tried, started }
}

test('who asks nothing of what is full is served, in the same namespace and in others, and nobody else is asked twice in a pass', async () => {
  const full = new Set(['cpu:x'])
  const { room, add, tried, started } = open(full)
  add('a', 'large', 'cpu:x')
  add('a', 'larger', 'cpu:x')
  add('a', 'modest', 'target:x')
  add('b', 'other', 'target:x')
  await expect.poll(() => started.toSorted()).toEqual(['modest', 'other'])
  expect(room.has('a')).toBe(true)
  tried.length = 0
  room.freed()
  await expect.poll(() => tried).toHaveLength(1)
  full.clear()
  room.freed()
  await expect.poll(() => started.slice(2)).toEqual(['large', 'larger'])
  expect(room.size).toBe(0)
})

test('a full target ends the pass: nobody is asked in vain', async () => {
  const full = new Set(['target:x'])
  const { room, add, tried, started } = open(full)
  for (let at = 0; at < 5; at++) add('a', `${at}`, 'target:x')
  await expect.poll(() => tried.length).toBeGreaterThan(0)
  expect(started).toEqual([])
  full.clear()
  room.freed()
  await expect.poll(() => started).toEqual(['0', '1', '2', '3', '4'])
})
