import { spawnSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { archiveFormats } from '../../ports/code-streams.ts'
import { CodeBusy } from '../../ports/code-storage.ts'
import type { ArchiveFormat } from '../../ports/code-streams.ts'
import type { CodeStorage } from '../../ports/code-storage.ts'

vi.setConfig({ testTimeout: 60_000 })

type Subject = { readonly name: string; readonly branch: string; open(): Promise<CodeStorage> }

const ann = { name: 'Ann Ö', email: 'ann@lab.test', at: 1_700_000_000_000, zone: '+0000' }
const large = randomBytes(3 * 1024 * 1024)

/** What every code storage gives piece by piece. */
export function codeStreamsSuite({ name, branch, open }: Subject): void {
  describe(`${name}: what every code storage gives piece by piece`, () => {
    const signal = new AbortController().signal

    async function prepared() {
      const folder = mkdtempSync(join(tmpdir(), 'capstan-streams-'))
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
      const storage = await open()
      const id = randomUUID()
      await storage.create(id)
      const commit = async (parent: string | null, files: Record<string, string | Buffer>, message: string) => {
        const given = Object.entries(files).map(([path, content]) => ({ path, content: Buffer.from(content) }))
        return String(await storage.commit(id, { branch, parent, files: given, author: ann, message }))
      }
      const one = await commit(null, { 'a ä/<b>': 'one\n', large, '--output=x': 'dash' }, 'first')
      const two = await commit(one, { 'a ä/<b>': 'two\n', bytes: Buffer.from([0, 255, 1]) }, 'Say "ü" <b>\n\nand more\n')
      const content = async (path: string) => whole(await storage.content(id, (await storage.entry(id, two, path))?.oid ?? '', { signal }))
      const text = async (of: string, form: 'diff' | 'patch') => (await whole(await storage.difference(id, of, { form, signal }))).toString()
      return { folder, storage, id, one, two, content, text }
    }

    async function whole(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
      const chunks: Uint8Array[] = []
      for await (const chunk of bytes) chunks.push(chunk)
      return Buffer.concat(chunks)
    }
    test('a file comes byte by byte as it is, however its name looks', async () => {
      const { content } = await prepared()
      expect((await content('large')).equals(large)).toBe(true)
      expect((await content('a ä/<b>')).toString()).toBe('two\n')
      expect((await content('--output=x')).toString()).toBe('dash')
    })

    test.each(archiveFormats)('an archive as %s holds every file below its folder', async (format: ArchiveFormat) => {
      const { storage, id, two, folder } = await prepared()
      const file = join(folder, `archive.${format}`)
      writeFileSync(file, await whole(await storage.archive(id, two, { format, prefix: 'weather-1', signal })))
      const target = mkdtempSync(join(folder, 'out-'))
      // Python unpacks all four, so no program has to be there for one of them.
      const unpack = 'import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2], sys.argv[3])'
      const kind = { zip: 'zip', 'tar.gz': 'gztar', 'tar.bz2': 'bztar', tar: 'tar' }[format]
      const done = spawnSync('python3', ['-c', unpack, file, target, kind], { env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8' } })
      expect(done.status, done.stderr.toString()).toBe(0)
      expect(readdirSync(target)).toEqual(['weather-1'])
      expect(readFileSync(join(target, 'weather-1/a ä/<b>'), 'utf8')).toBe('two\n')
      expect(readFileSync(join(target, 'weather-1/large')).equals(large)).toBe(true)
      expect(readFileSync(join(target, 'weather-1/bytes'))).toEqual(Buffer.from([0, 255, 1]))
    })

    test('a diff is against the first parent, in the form of git, binary files included', async () => {
      const { one, two, text } = await prepared()
      const diff = await text(two, 'diff')
      expect(diff).toMatch(/^diff --git /)
      expect(diff).toContain('-one\n+two\n')
      expect(diff).toContain('GIT binary patch')
      expect(diff).not.toContain('Ann')
      expect(await text(one, 'diff')).toContain('+one\n')
    })

    test('a patch says who, when and why in front of the diff', async () => {
      const { two, text } = await prepared()
      const patch = await text(two, 'patch')
      expect(patch).toContain('ann@lab.test')
      expect(patch).toContain(two)
      expect(patch).toContain('and more')
      expect(patch).toContain('-one\n+two\n')
    })

    test('what is not there is an error before the first byte', async () => {
      const { storage, id } = await prepared()
      for (const gone of ['f'.repeat(40), '0'.repeat(40), 'ab'.repeat(20)]) {
        await expect((async () => storage.archive(id, gone, { format: 'tar', prefix: 'x', signal }))(), gone).rejects.toThrow()
        await expect((async () => storage.difference(id, gone, { form: 'diff', signal }))(), gone).rejects.toThrow()
      }
      await expect((async () => storage.archive(id, '--output=/tmp/x', { format: 'tar', prefix: 'x', signal }))()).rejects.toThrow()
      await expect((async () => storage.difference(id, 'HEAD', { form: 'diff', signal }))()).rejects.toThrow()
    })

    test('ending the reading gives the place back, and a signal ends what runs', async () => {
      const { storage, id, two } = await prepared()
      for (let round = 0; round < 8; round++) {
        const bytes = await storage.archive(id, two, { format: archiveFormats[Math.floor(round / 2)] ?? 'tar', prefix: 'x', signal })
        if (round % 2 === 0) await bytes.next()
        await bytes.return?.()
      }
      const leaving = new AbortController()
      const bytes = await storage.archive(id, two, { format: 'tar', prefix: 'x', signal: leaving.signal })
      leaving.abort(new Error('gone'))
      await expect(whole(bytes)).rejects.toThrow('gone')
    })

    test('no more run at once than there are places: the rest waits, and too many are refused', async () => {
      const { storage, id, two } = await prepared()
      const leaving = new AbortController()
      const start = () => storage.archive(id, two, { format: 'tar', prefix: 'x', signal: leaving.signal })
      const places = await Promise.all(Array.from({ length: 4 }, start))
      const outcomes = Array.from({ length: 80 }, () =>
        start().then(
          async (bytes) => void (await bytes.return?.()),
          (error: unknown) => error,
        ),
      )
      const busy = outcomes.map(async (one) => ((await one) instanceof CodeBusy ? 'busy' : Promise.reject()))
      await expect(Promise.any(busy)).resolves.toBe('busy')
      // Those that wait hold nothing: they leave at once.
      leaving.abort(new Error('gone'))
      await Promise.all([...outcomes, ...places.map((bytes) => bytes.return?.()), Promise.allSettled(busy)])
    })
  })
}
