import { expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import { everyoneId } from '../../../core/kernel/builtin.ts'
import type { GistRow } from '../../../ports/store/gists.ts'
import type { Tables } from '../../../ports/store/tables.ts'
import { allPages, firstPage } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'

const files = [{ name: 'ä.md', text: 'nul \u0000 and a lone \ud800' }]

async function gist(t: Tables, owner: string, patch: Partial<GistRow> & { private?: boolean } = {}): Promise<GistRow & { serial: number }> {
  const { private: hidden = false, ...more } = patch
  const row = { id: systemIds.record(), description: 'no\u0000tes', revision: 1, expires_at: null, ...more }
  const base = { parent_id: null, private: hidden, active: true, state: 'ready', spec: {}, created_at: 1, updated_at: 1 }
  const { serial } = await t.resources.insert({ ...base, id: row.id, kind: 'gist', name: row.id, owner_id: owner })
  await t.gists.insert(row)
  await t.gists.addRevision({ gist_id: row.id, number: 1, created_at: 1, files })
  return { ...row, serial }
}

export function gistSuite(use: UseStore): void {
  test('a gist and its versions come back as they were written, and go together', async () => {
    const { store } = use()
    const { serial: _, ...row } = await store.write((t) => gist(t, 'ann', { expires_at: 5 }))
    expect(await store.reader.gists.byId(row.id)).toStrictEqual(row)
    expect(await store.reader.gists.byIds([row.id, 'none'])).toStrictEqual([row])
    await store.write(async (t) => {
      await t.gists.update(row.id, { revision: 2, expires_at: null })
      await t.gists.addRevision({ gist_id: row.id, number: 2, created_at: 2, files: [] })
    })
    expect(await store.reader.gists.byId(row.id)).toStrictEqual({ ...row, revision: 2, expires_at: null })
    expect((await store.reader.gists.revision(row.id, 1))?.files).toStrictEqual(files)
    await store.write((t) => t.gists.removeRevisions(row.id, 1))
    expect(await store.reader.gists.revision(row.id, 1)).toBeNull()
    expect(await store.reader.gists.revision(row.id, 2)).toStrictEqual({ gist_id: row.id, number: 2, created_at: 2, files: [] })
    await store.write((t) => t.gists.remove(row.id))
    expect([await store.reader.gists.byId(row.id), await store.reader.gists.revision(row.id, 2)]).toStrictEqual([null, null])
  })

  test('a list is newest first, of what the viewer may read and what has not expired, page by page', async () => {
    const { store } = use()
    const made = await store.write(async (t) => {
      const open = await gist(t, 'ann', { expires_at: 11 })
      await t.grants.set({ resource_id: open.id, subject_id: everyoneId, subject_kind: 'user', level: 'read', extras: [], created_at: 1 })
      return [open, await gist(t, 'ann', { private: true }), await gist(t, 'bob'), await gist(t, 'ann', { expires_at: 10 })] as const
    })
    const ids = async (viewer: { userId: string; administrator: boolean }, filter: { ownerId?: string } = {}) => {
      const rows = await allPages(2, (page) => store.reader.gists.page({ ...filter, now: 10 }, viewer, page))
      return rows.map(({ id }) => made.findIndex((one) => one.id === id))
    }
    expect(await ids({ userId: 'root', administrator: true })).toEqual([2, 1, 0])
    expect(await ids({ userId: 'ann', administrator: false })).toEqual([1, 0])
    expect(await ids({ userId: everyoneId, administrator: false })).toEqual([0])
    expect(await ids({ userId: 'ann', administrator: false }, { ownerId: 'bob' })).toEqual([])
    expect((await store.reader.gists.page({ now: 10 }, { userId: 'bob', administrator: false }, firstPage)).items).toHaveLength(2)
    expect(await store.reader.gists.expired(11, 9)).toEqual([made[3].id, made[0].id])
    expect(await store.reader.gists.expired(11, 1)).toEqual([made[3].id])
  })
}
