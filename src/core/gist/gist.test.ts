import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRepositoryLab } from '../../../test/support/repository-lab.ts'
import { anonymous, closedAnonymous } from '../identity/principal.ts'
import { pruneGists } from './expiry.ts'
import { gistOperations } from './operations.ts'
import type { RepositoryLab } from '../../../test/support/repository-lab.ts'
import type { Principal } from '../identity/principal.ts'
import type { GistView } from './view.ts'

let lab: RepositoryLab
let ann: Principal
let bob: Principal

beforeAll(async () => {
  lab = await openRepositoryLab(gistOperations)
  ;[ann, bob] = await Promise.all(['ann', 'bob'].map((name) => lab.user(name)) as [never, never])
})
afterAll(() => lab.close())

type Full = GistView & { shown: number; files: { name: string; text: string }[] }
const files = [{ name: 'notes.md', text: '# <b>Notes</b>\u0000\n' }]
const create = (who: Principal, more: object = {}) => lab.call<GistView>(who, 'gist.create', { files, ...more })
const get = (who: Principal, gist: string, more: object = {}) => lab.call<Full>(who, 'gist.get', { gist, ...more })
const code = async (who: Principal, verb: string, input: object) => (await lab.refused(who, `gist.${verb}`, input)).code
const list = async (who: Principal, more: object = {}) =>
  (await lab.call<{ items: GistView[] }>(who, 'gist.list', { limit: 1000, ...more })).items.map(({ id }) => id)

describe('who sees a gist', () => {
  test('a public one has its number as name; everyone reads and lists it', async () => {
    const made = await create(ann, { public: true, description: 'why' })
    expect(made).toMatchObject({ public: true, access_id: String(made.serial), owner: 'ann', revision: 1, expires_at: null, description: 'why' })
    expect(made.url).toBe(`http://capstan.test/_admin/gists/${made.serial}`)
    for (const who of [ann, bob, anonymous, lab.root]) {
      expect(await get(who, made.access_id)).toEqual({ ...made, shown: 1, files })
      expect(await list(who)).toContain(made.id)
    }
  })

  test('a private one is read by who has its letters, and listed for its owner and administrators only', async () => {
    const made = await create(ann)
    expect(made.access_id).toMatch(/^[2-9A-HJ-NP-Za-hj-np-z]{20}$/)
    for (const who of [bob, anonymous]) {
      expect(await get(who, made.access_id)).toMatchObject({ files })
      for (const other of [made.id, `_${made.serial}`, String(made.serial), made.access_id.toLowerCase()]) {
        const fault = await lab.refused(who, 'gist.get', { gist: other })
        expect(fault.code, other).toBe('not_found')
      }
      expect(await list(who)).not.toContain(made.id)
      expect(await list(who, { owner: 'ann' })).not.toContain(made.id)
    }
    expect(await get(ann, `_${made.serial}`)).toMatchObject({ id: made.id })
    for (const who of [ann, lab.root]) expect(await list(who, { owner: 'ann' })).toContain(made.id)
  })

  test('nobody reads anything while anonymous access is closed to them', async () => {
    const { access_id } = await create(ann, { public: true })
    expect(['not_found', 'unauthenticated']).toContain(await code(closedAnonymous, 'get', { gist: access_id }))
  })

  test('changing and deleting is for the owner and for administrators', async () => {
    for (const isPublic of [true, false]) {
      const { access_id: gist } = await create(ann, { public: isPublic })
      expect(await code(bob, 'update', { gist, description: 'x' })).toBe('forbidden')
      expect(await code(bob, 'delete', { gist })).toBe('forbidden')
      expect(await code(bob, 'describe', { gist })).toBe('forbidden')
      expect(await code(anonymous, 'delete', { gist })).toBe('unauthenticated')
      expect(await lab.call(ann, 'gist.describe', { gist })).toMatchObject({ access_id: gist })
      await lab.call(isPublic ? ann : lab.root, 'gist.delete', { gist })
      expect(await code(ann, 'get', { gist })).toBe('not_found')
    }
  })

  test('a grant opens one gist to one user', async () => {
    const { id } = await create(ann)
    const row = { resource_id: id, subject_id: bob.id, subject_kind: 'user', level: 'write', extras: [], created_at: 1 } as const
    await lab.store.write((tables) => tables.grants.set({ ...row, extras: [] }))
    expect(await lab.call(bob, 'gist.update', { gist: id, description: 'by bob' })).toMatchObject({ description: 'by bob' })
    expect(await code(bob, 'delete', { gist: id })).toBe('forbidden')
  })

  test('owners are named by administrators only; ones who do not exist own nothing', async () => {
    expect(await create(lab.root, { owner: 'bob' })).toMatchObject({ owner: 'bob' })
    expect(await create(bob, { owner: 'bob' })).toMatchObject({ owner: 'bob' })
    expect(await code(bob, 'create', { files, owner: 'ann' })).toBe('forbidden')
    expect(await code(lab.root, 'create', { files, owner: 'nobody' })).toBe('not_found')
    expect(await code(lab.root, 'create', { files, owner: 'default' })).toBe('not_found')
    expect(await code(ann, 'list', { owner: 'nobody' })).toBe('not_found')
    expect(await code(anonymous, 'create', { files })).toBe('unauthenticated')
  })
})

describe('what a gist holds', () => {
  test.each([
    ['a slash', 'a/b'],
    ['a climbing name', '..'],
    ['a hidden name', '.profile'],
    ['no name', ''],
    ['a backslash', 'a\\b'],
    ['a line break', 'a\nb'],
    ['a turned direction', 'a\u202Egpj.sh'],
    ['a long name', 'x'.repeat(256)],
  ])('files with %s are refused, and nothing is left behind', async (_, name) => {
    const before = await list(lab.root)
    expect(await code(ann, 'create', { files: [...files, { name, text: '' }] })).toBe('invalid_input')
    expect(await list(lab.root)).toEqual(before)
  })

  test('too many files, too much of them, and two of one name are refused; none at all is fine', async () => {
    const many = Array.from({ length: 101 }, (_, index) => ({ name: `f${index}`, text: '' }))
    expect(await code(ann, 'create', { files: many })).toBe('invalid_input')
    expect(await code(ann, 'create', { files: [{ name: 'a', text: 'ä'.repeat(1024 * 1024) }] })).toBe('invalid_input')
    expect(await code(ann, 'create', { files: [...files, ...files] })).toBe('invalid_input')
    expect(await get(ann, (await create(ann, { files: [] })).access_id)).toMatchObject({ files: [] })
  })

  test('new files make a new version; older ones can be read until twenty came after them', async () => {
    const { access_id: gist } = await create(ann)
    const versions = Array.from({ length: 20 }, (_, index) => [{ name: 'notes.md', text: `${index + 2}` }])
    for (const next of versions) await lab.call(ann, 'gist.update', { gist, files: next })
    expect(await get(bob, gist)).toMatchObject({ revision: 21, shown: 21, files: [{ text: '21' }] })
    expect(await get(bob, gist, { revision: 2 })).toMatchObject({ revision: 21, shown: 2, files: [{ text: '2' }] })
    for (const revision of [1, 22]) expect(await code(bob, 'get', { gist, revision })).toBe('not_found')
    expect(await code(ann, 'update', { gist, files: [{ name: '../x', text: '' }] })).toBe('invalid_input')
    expect(await get(bob, gist)).toMatchObject({ revision: 21 })
  })
})

describe('the end of a gist', () => {
  test('what has expired is not there, for nobody, and the janitor takes it away with its files', async () => {
    const gone = await create(ann, { lifetime_minutes: 0, public: true })
    const later = await create(ann, { lifetime_minutes: 5 })
    expect(Date.parse(later.expires_at ?? '') - Date.parse(later.created_at)).toBe(300_000)
    for (const who of [ann, lab.root]) {
      for (const verb of ['get', 'describe', 'delete']) expect(await code(who, verb, { gist: gone.access_id })).toBe('not_found')
      expect(await list(who)).not.toContain(gone.id)
      expect(await list(who)).toContain(later.id)
    }
    expect(await pruneGists(lab.services)).toBeGreaterThan(0)
    expect(await lab.store.reader.gists.byId(gone.id)).toBeNull()
    expect(await lab.store.reader.gists.revision(gone.id, 1)).toBeNull()
    expect(await lab.store.reader.resources.byId(gone.id)).toBeNull()
    expect(await get(ann, later.access_id)).toMatchObject({ files })
  })

  test('a lifetime can be given later, and taken away again', async () => {
    const { access_id: gist } = await create(ann, { lifetime_minutes: 5 })
    expect(await lab.call(ann, 'gist.update', { gist, lifetime_minutes: null })).toMatchObject({ expires_at: null })
    await lab.call(ann, 'gist.update', { gist, lifetime_minutes: 0 })
    expect(await code(ann, 'get', { gist })).toBe('not_found')
  })

  test('the number of a deleted gist is never given to another', async () => {
    const first = await create(ann, { public: true })
    await lab.call(ann, 'gist.delete', { gist: first.access_id })
    expect((await create(ann, { public: true })).serial).toBeGreaterThan(first.serial)
  })
})
