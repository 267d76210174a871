import { randomUUID } from 'node:crypto'
import { lstat, mkdtemp, readFile, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { CodeContentRefused, CodeUnavailable } from '../../ports/code-storage.ts'
import type { CodeSignature, CodeStorage } from '../../ports/code-storage.ts'

vi.setConfig({ testTimeout: 60_000 })

/** A storage of one kind, and the full name of the branch that is the default one of an empty repository there. */
export type Subject = { readonly name: string; readonly branch: string; open(): Promise<CodeStorage> }

const ann: CodeSignature = { name: 'Ann Ö', email: 'ann@lab.test', at: 1_700_000_000_000, zone: '+0000' }
const signal = new AbortController().signal

const filesOf = (files: Record<string, string | Buffer | null>) =>
  Object.entries(files).map(([path, content]) => ({ path, content: content === null ? null : Buffer.from(content) }))

/** What every code storage does, whatever it keeps its commits in. */
export function codeStorageSuite({ name, branch, open }: Subject): void {
  describe(`${name}: what every code storage does`, () => {
    async function opened() {
      const storage = await open()
      const id = randomUUID()
      await storage.create(id)
      const commit = async (parent: string | null, files: Record<string, string | Buffer | null>, message = 'fixture', on = id) => {
        const made = await storage.commit(on, { branch, parent, files: filesOf(files), author: ann, message })
        if (made === 'conflict') throw new Error('A fixture is in conflict')
        return made
      }
      const shown = async (commit: string, path: string, of = id) => {
        const entry = await storage.entry(of, commit, path)
        return entry && (await storage.blob(of, entry.oid, { limit: 1000 }))?.toString()
      }
      return { storage, id, commit, shown }
    }

    test('an empty repository has no refs, and nothing can be read in it', async () => {
      const { storage, id } = await opened()
      await storage.create(id)
      expect(await storage.exists(id)).toBe(true)
      expect(await storage.list()).toContain(id)
      expect([...(await storage.refs(id))]).toEqual([])
      expect(await storage.head(id)).toBe(branch)
      expect(await storage.resolve(id, branch)).toBeNull()
      expect(await storage.resolve(id, 'f'.repeat(40))).toBeNull()
      expect(await storage.log(id, branch, { limit: 10, skip: 0 })).toEqual([])
      expect(await storage.size(id)).toBeGreaterThan(0)
    })

    test('a commit holds its files, who made it and when, and moves its branch', async () => {
      const { storage, id, commit, shown } = await opened()
      const one = await commit(null, { 'dir/ä b': 'one\n', z: Buffer.from([0, 255, 10]) }, 'Say "ü"\n\nand more')
      expect([...(await storage.refs(id))]).toEqual([[branch, one]])
      const [log] = await storage.log(id, branch, { limit: 1, skip: 0 })
      expect(log).toMatchObject({ id: one, parents: [], author: { name: 'Ann Ö', email: 'ann@lab.test', at: ann.at } })
      expect(log?.message.trimEnd()).toBe('Say "ü"\n\nand more')
      expect(await shown(one, 'dir/ä b')).toBe('one\n')
      const two = await commit(one, { 'dir/ä b': null, z: 'now text', run: 'x' })
      expect(await storage.entry(id, two, 'dir/ä b')).toBeNull()
      expect((await storage.log(id, branch, { limit: 9, skip: 0 })).map((it) => it.id)).toEqual([two, one])
      expect((await storage.log(id, branch, { limit: 9, skip: 1 })).map((it) => it.id)).toEqual([one])
      expect((await storage.log(id, branch, { limit: 9, skip: 0, without: one })).map((it) => it.id)).toEqual([two])
      expect(await storage.commit(id, { branch, parent: one, files: filesOf({ a: 'b' }), author: ann, message: 'late' })).toBe('conflict')
      expect(await storage.resolve(id, branch)).toBe(two)
    })

    test('a file replaces a folder of its name, and a folder a file', async () => {
      const { commit, shown, storage, id } = await opened()
      const one = await commit(null, { 'a/b/c': '1', d: '2' })
      const two = await commit(one, { 'a/b': 'file', 'd/e': 'folder' })
      expect([await shown(two, 'a/b'), await shown(two, 'd/e'), await storage.entry(id, two, 'a/b/c')]).toEqual(['file', 'folder', null])
    })

    test('trees are read folder by folder, with the size and kind of each entry', async () => {
      const { storage, id, commit } = await opened()
      const one = await commit(null, { 'src/deep/er/x': '123', 'src/y': '12345', top: '' })
      const root = await storage.entry(id, one, '')
      expect(root?.type).toBe('tree')
      const list = async (oid: string) => (await storage.tree(id, oid)).map((it) => [it.name, it.type, it.mode, it.size]).sort()
      expect(await list(root?.oid ?? '')).toEqual([
        ['src', 'tree', '040000', null],
        ['top', 'blob', '100644', 0],
      ])
      const src = await storage.entry(id, one, 'src')
      expect(await list(src?.oid ?? '')).toEqual([
        ['deep', 'tree', '040000', null],
        ['y', 'blob', '100644', 5],
      ])
      const deep = await storage.entry(id, src?.oid ?? '', 'deep/er/x')
      expect(deep).toMatchObject({ type: 'blob', size: 3, name: 'x' })
      expect(await storage.blob(id, deep?.oid ?? '', { limit: 2 })).toBeNull()
      for (const path of ['no', 'src/no', 'top/x', '../x', 'src/../top', './top', '/top', 'a\0'])
        expect(await storage.entry(id, one, path), path).toBeNull()
    })

    test.each(['../x', 'a/../../x', '/x', '.git/config', '.GIT/hooks/x', 'a/.git/x', 'a\\b', 'a\nb', 'a//b', '.'])(
      'no file is committed as %j',
      async (path) => {
        const { storage, id } = await opened()
        const change = { branch, parent: null, files: filesOf({ [path]: 'x' }), author: ann, message: 'x' }
        await expect(storage.commit(id, change)).rejects.toThrow(CodeContentRefused)
        expect([...(await storage.refs(id))]).toEqual([])
      },
    )

    test('a commit that is not to be made leaves nothing behind', async () => {
      const { storage, id } = await opened()
      const refusal = new Error('not now')
      const change = { branch, parent: null, files: filesOf({ a: 'b' }), author: ann, message: 'x' }
      let told = ''
      const onMade = async (made: string) => {
        told = made
        throw refusal
      }
      await expect(storage.commit(id, change, { onMade })).rejects.toBe(refusal)
      expect(told).toMatch(/^[0-9a-f]{40}$/)
      expect([...(await storage.refs(id))]).toEqual([])
      expect(await storage.commit(id, change)).toMatch(/^[0-9a-f]{40}$/)
    })

    test('a fork has everything, and neither changes with the other', async () => {
      const { storage, id, commit } = await opened()
      const one = await commit(null, { a: '1' })
      await storage.setHead(id, 'refs/heads/elsewhere')
      const fork = randomUUID()
      await storage.fork(fork, id)
      expect([...(await storage.refs(fork))]).toEqual([[branch, one]])
      expect(await storage.head(fork)).toBe('refs/heads/elsewhere')
      const two = await commit(one, { a: '2' }, 'in the fork', fork)
      expect(await storage.resolve(id, two)).toBeNull()
      await commit(one, { a: '3' })
      await storage.setAside(id)
      await storage.purge(id)
      expect(await storage.exists(id)).toBe(false)
      expect((await storage.log(fork, branch, { limit: 9, skip: 0 })).map((it) => it.id)).toEqual([two, one])
      await expect(storage.fork(fork, fork)).rejects.toThrow(CodeUnavailable)
      await expect(storage.fork(randomUUID(), id)).rejects.toThrow(CodeUnavailable)
    })

    test('what is set aside is nowhere to be read, and its id can be used again', async () => {
      const { storage, id, commit } = await opened()
      await commit(null, { a: '1' })
      await storage.setAside(id)
      expect(await storage.list()).not.toContain(id)
      await expect(storage.refs(id)).rejects.toThrow(CodeUnavailable)
      await storage.setAside(id)
      await storage.create(id)
      expect([...(await storage.refs(id))]).toEqual([])
      await storage.setAside(id)
      await storage.purge(id)
      await storage.purge(id)
    })

    test.each(['../x', '', 'a/b', 'A', '.x', 'x'.repeat(65), 'x.git'])('%j is no id of storage', async (id) => {
      const storage = await open()
      await expect(storage.create(id)).rejects.toThrow(CodeUnavailable)
      await expect((async () => storage.refs(id))()).rejects.toThrow(CodeUnavailable)
    })

    test('what two of one repository have in common, and of a fork as well', async () => {
      const { storage, id, commit } = await opened()
      const base = await commit(null, { a: '1\n2\n3\n' })
      const fork = randomUUID()
      await storage.fork(fork, id)
      const ours = await commit(base, { b: 'ours' })
      const theirs = await commit(base, { c: 'theirs' }, 'theirs', fork)
      expect(await storage.mergeBase(id, ours, theirs, { source: fork })).toBe(base)
      expect(await storage.mergeBase(id, ours, base)).toBe(base)
    })

    test('what goes together is merged: one commit with both parents, and all that the fork had', async () => {
      const { storage, id, commit, shown } = await opened()
      const base = await commit(null, { a: '1\n2\n3\n4\n5\n' })
      const fork = randomUUID()
      await storage.fork(fork, id)
      const ours = await commit(base, { a: '0\n1\n2\n3\n4\n5\n' })
      const theirs = await commit(base, { a: '1\n2\n3\n4\n5\n6\n' }, 'theirs', fork)
      expect(await storage.tryMerge(id, ours, theirs, { source: fork, signal })).toHaveProperty('tree')
      expect(await storage.resolve(id, theirs)).toBeNull()
      const made: string[] = []
      const change = { branch, ours, theirs, source: fork, commit: { author: ann, message: 'Put together' } }
      const done = await storage.merge(id, change, { signal, onMade: async (commit) => void made.push(commit) })
      if (done === 'conflict' || 'conflicts' in done) throw new Error('It was refused')
      expect(made).toEqual([done.commit])
      expect(await storage.resolve(id, branch)).toBe(done.commit)
      expect((await storage.log(id, branch, { limit: 1, skip: 0 }))[0]).toMatchObject({ parents: [ours, theirs], author: { name: 'Ann Ö' } })
      expect(await shown(done.commit, 'a')).toBe('0\n1\n2\n3\n4\n5\n6\n')
      expect(await storage.merge(id, change, { signal })).toBe('conflict')
    })

    test('what does not go together is told by its files, and nothing has changed', async () => {
      const { storage, id, commit } = await opened()
      const base = await commit(null, { a: '1\n', 'dir/ü "x"': '1\n', gone: '1\n' })
      const fork = randomUUID()
      await storage.fork(fork, id)
      const ours = await commit(base, { a: '2\n', 'dir/ü "x"': '2\n', gone: null })
      const theirs = await commit(base, { a: '3\n', 'dir/ü "x"': '3\n', gone: '2\n' }, 'theirs', fork)
      const conflicts = ['a', 'dir/ü "x"', 'gone']
      expect(await storage.tryMerge(id, ours, theirs, { source: fork, signal })).toEqual({ conflicts })
      const change = { branch, ours, theirs, source: fork, commit: { author: ann, message: 'Put together' } }
      expect(await storage.merge(id, change, { signal })).toEqual({ conflicts })
      expect(await storage.resolve(id, branch)).toBe(ours)
      expect(await storage.resolve(id, theirs)).toBeNull()
    })

    test('a merge that is not to be made leaves the branch where it was', async () => {
      const { storage, id, commit } = await opened()
      const base = await commit(null, { a: '1\n' })
      const fork = randomUUID()
      await storage.fork(fork, id)
      const ours = await commit(base, { b: '2\n' })
      const theirs = await commit(base, { c: '3\n' }, 'theirs', fork)
      const refusal = new Error('not now')
      const change = { branch, ours, theirs, source: fork, commit: { author: ann, message: 'x' } }
      await expect(storage.merge(id, change, { signal, onMade: () => Promise.reject(refusal) })).rejects.toBe(refusal)
      expect(await storage.resolve(id, branch)).toBe(ours)
    })

    test('a branch moves on to a commit of a fork that comes after it', async () => {
      const { storage, id, commit } = await opened()
      const ours = await commit(null, { a: '1\n' })
      const fork = randomUUID()
      await storage.fork(fork, id)
      const theirs = await commit(ours, { a: '2\n' }, 'theirs', fork)
      const forward = { branch, ours, theirs, source: fork, commit: null }
      const told: string[] = []
      const refuse = async () => Promise.reject(new Error('not now'))
      await expect(storage.merge(id, forward, { signal, onMade: refuse })).rejects.toThrow('not now')
      expect(await storage.resolve(id, branch)).toBe(ours)
      const onMade = async (commit: string) => void told.push(commit)
      expect(await storage.merge(id, forward, { signal, onMade })).toEqual({ commit: theirs })
      expect([await storage.resolve(id, branch), told]).toEqual([theirs, [theirs]])
    })

    test('the files of a commit are written below a folder, up to a limit', async () => {
      const { storage, id, commit } = await opened()
      const one = await commit(null, { 'src/a': '123', 'src/deep/b': '456' })
      const tree = await storage.entry(id, one, 'src')
      const folder = await mkdtemp(`${tmpdir()}/capstan-checkout-`)
      onTestFinished(() => rm(folder, { recursive: true, force: true }))
      await expect(storage.checkout(id, tree?.oid ?? '', folder, { limitBytes: 5, limitFiles: 10, signal })).rejects.toThrow(CodeContentRefused)
      await rm(folder, { recursive: true })
      const again = await mkdtemp(`${tmpdir()}/capstan-checkout-`)
      onTestFinished(() => rm(again, { recursive: true, force: true }))
      await storage.checkout(id, tree?.oid ?? '', again, { limitBytes: 6, limitFiles: 3, signal })
      expect(await readFile(`${again}/deep/b`, 'utf8')).toBe('456')
      expect((await lstat(`${again}/a`)).mode & 0o111).toBe(0)
      expect((await readdir(again)).sort()).toEqual(['a', 'deep'])
      await expect(readlink(`${again}/a`)).rejects.toThrow()
    })

    test('names of ours are compared and set, and stay with the repository', async () => {
      const { storage, id, commit } = await opened()
      const one = await commit(null, { a: '1' })
      const ref = 'refs/pull/7/head'
      expect(await storage.updateRefs(id, [{ ref, from: null, to: one }])).toBe('done')
      expect(await storage.resolve(id, ref)).toBe(one)
      expect(await storage.updateRefs(id, [{ ref, from: null, to: one }])).toBe('conflict')
      expect([...(await storage.refs(id)).keys()]).toEqual([branch])
      expect(await storage.updateRefs(id, [{ ref, from: one, to: null }])).toBe('done')
      expect(await storage.resolve(id, ref)).toBeNull()
    })

    test('the branch of a first push becomes the default one, and never a second', async () => {
      const { storage, id } = await opened()
      const made = await storage.commit(id, { branch: 'refs/heads/topic', parent: null, files: filesOf({ a: '1' }), author: ann, message: 'x' })
      const change = { ref: 'refs/heads/topic', from: null, to: made }
      expect(await storage.adoptHead(id, [change])).toBe('refs/heads/topic')
      expect(await storage.head(id)).toBe('refs/heads/topic')
      expect(await storage.adoptHead(id, [change])).toBeNull()
    })

    test('commits have numbers, oldest first, by which they are found and listed from either end', async () => {
      const { storage, id } = await opened()
      const all = { branch: null, from: null, to: null, since: null, until: null, order: 'oldest-first', limit: 10 } as const
      expect([await storage.count(id), await storage.commitAt(id, 0), await storage.numberOf(id, 'f'.repeat(40))]).toEqual([0, null, null])
      expect([await storage.range(id, all), await storage.range(id, { ...all, branch: 'refs/heads/none' })]).toEqual([[], null])
      const made: string[] = []
      for (let number = 0; number < 4; number++) {
        const author = { ...ann, at: ann.at + number * 60_000 }
        const change = { branch, parent: made.at(-1) ?? null, files: filesOf({ [`f${number}`]: 'x' }), author, message: `${number}` }
        made.push(await storage.commit(id, change))
      }
      expect(await storage.count(id)).toBe(4)
      expect(await Promise.all([0, 3, 4, -1, 0.5].map((number) => storage.commitAt(id, number)))).toEqual([made[0], made[3], null, null, null])
      expect(await Promise.all(made.map((one) => storage.numberOf(id, one)))).toEqual([0, 1, 2, 3])
      const numbers = async (more: object) => (await storage.range(id, { ...all, ...more }))?.map(({ number }) => number)
      expect((await storage.range(id, { ...all, limit: 1 }))?.[0]).toMatchObject({ id: made[0], number: 0, author: { at: ann.at } })
      expect(await numbers({ from: 1, to: 2 })).toEqual([1, 2])
      expect(await numbers({ order: 'newest-first', limit: 3 })).toEqual([3, 2, 1])
      expect(await numbers({ since: ann.at + 60_000, until: ann.at + 120_000 })).toEqual([1, 2])
      expect(await numbers({ branch, order: 'newest-first', to: 1 })).toEqual([1, 0])
    })

    test('what a commit does to files is told against its first parent', async () => {
      const { storage, id, commit } = await opened()
      const one = await commit(null, { 'dir/ä b': '1', c: '1' })
      const two = await commit(one, { 'dir/ä b': '2', c: null, d: '1' })
      expect(await storage.changed(id, [two, one])).toEqual([
        { added: ['d'], changed: ['dir/ä b'], removed: ['c'] },
        { added: ['c', 'dir/ä b'], changed: [], removed: [] },
      ])
      expect(await storage.changed(id, [])).toEqual([])
    })
  })
}
