import { expect } from 'vitest'
import type { Log } from '../../../core/kernel/log.ts'
import { silentLog } from '../../../core/kernel/log.ts'
import { DuplicateKey } from '../../../ports/store/store.ts'
import type { Store } from '../../../ports/store/store.ts'

/** What a suite gets: an open, empty store. */
export type Subject = { readonly store: Store }
export type UseStore = () => Subject

export const testLog: Log = silentLog

export const firstPage = { limit: 50, after: null }

/** Expects a write to break the uniqueness of `key`. */
export async function expectDuplicate(work: Promise<unknown>, key: string): Promise<void> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DuplicateKey)
  expect((error as DuplicateKey).key).toBe(key) // checked in the line before
}

/** All items of a list, read page by page. */
export async function allPages<T>(
  limit: number,
  read: (page: { limit: number; after: readonly (string | number)[] | null }) => Promise<{ items: T[]; next: string | null }>,
): Promise<T[]> {
  const items: T[] = []
  let after: readonly (string | number)[] | null = null
  for (;;) {
    const page: { items: T[]; next: string | null } = await read({ limit, after })
    expect(page.items.length).toBeLessThanOrEqual(limit)
    items.push(...page.items)
    if (page.next === null) return items
    after = JSON.parse(Buffer.from(page.next, 'base64url').toString()) as (string | number)[] // what pageOf wrote
  }
}
