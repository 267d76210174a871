import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../test/support/app.ts'
import type { Person, TestApp } from '../../../test/support/app.ts'

type Who = Person & { readonly key: string }
type Shown = { readonly status: number; readonly headers: Headers; readonly body: Buffer; readonly text: string }

const password = 'a phrase that is long'
const html = '<script>alert(1)</script>\n'
const large = randomBytes(3 * 1024 * 1024)
let count = 0

/** What is shown by address of repositories of each kind that can be made here, and of gists. */
export function codeViewsSuite(title: string, options: { readonly databaseUrl?: string; readonly kinds: readonly ('git' | 'hg')[] }): void {
  describe(title, () => {
    let app: TestApp
    let root: Who
    let stranger: Who
    beforeAll(async () => {
      app = await openApp(options.databaseUrl ? { config: { databaseUrl: options.databaseUrl } } : {})
      root = await member('root', { administrator: true, password })
      stranger = await member('stranger')
    })
    afterAll(() => app?.close())

    async function member(name: string, more: Record<string, unknown> = {}): Promise<Who> {
      const person = await app.person(name, more)
      return { ...person, key: ((await app.system('api-key.create', { label: 'x', user: name })) as { secret: string }).secret }
    }
    async function show(path: string, headers: Record<string, string> = {}): Promise<Shown> {
      const answer = await fetch(new URL(app.url).origin + path, { headers, redirect: 'manual' })
      const body = Buffer.from(await answer.arrayBuffer())
      return { status: answer.status, headers: answer.headers, body, text: body.toString() }
    }
    const asked = (path: string, who: Who) => show(path, { authorization: `Bearer ${who.key}` })

    describe.each(options.kinds)('a repository of %s', (kind) => {
      const branch = kind === 'git' ? 'master' : 'default'
      let path: string
      let serial: number
      let tip: string
      beforeAll(async () => {
        const group = `group${++count}`
        await app.system('repository-group.create', { path: group })
        await app.system('repository-group.create', { path: `${group}/raw` })
        path = `${group}/raw/weather`
        serial = (await app.system('repository.create', { path, kind, private: true, downloads: true })).serial as number
        const commit = (message: string, files: object[]) => app.system('repository.commit-files', { repository: path, branch, message, files })
        await commit('first', [{ path: 'page.html', text: 'one\n' }])
        const files = [
          { path: 'page.html', text: html },
          { path: 'deep/ä b/x.svg', text: '<svg onload="x"/>' },
          { path: 'bytes.txt', base64: Buffer.from([0x3c, 0x62, 0x3e, 0, 255]).toString('base64') },
          { path: 'large', base64: large.toString('base64') },
          { path: 'raw/tip/x', text: 'named as a view' },
          { path: 'empty', text: '' },
        ]
        tip = (await commit('Say <b>\n\nand why', files)).commit as string
      })

      test('a file comes as text, never as what its name says it is', async () => {
        for (const file of ['page.html', 'deep/%C3%A4%20b/x.svg']) {
          const { status, headers, text } = await asked(`/${path}/raw/tip/${file}`, root)
          expect(status).toBe(200)
          expect(text).toContain('<s')
          expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
          expect(headers.get('x-content-type-options')).toBe('nosniff')
          expect(headers.get('content-security-policy')).toContain("default-src 'none'; sandbox")
          expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
          expect(headers.get('content-disposition')).toMatch(/^inline; filename\*=UTF-8''[\w.%]+$/)
        }
        expect((await asked(`/${path}/raw/tip/page.html`, root)).text).toBe(html)
      })

      test('bytes that are no text come as bytes to be saved, however many', async () => {
        const bytes = await asked(`/${path}/raw/${branch}/bytes.txt`, root)
        expect(bytes.headers.get('content-type')).toBe('application/octet-stream')
        expect(bytes.headers.get('content-disposition')).toMatch(/^attachment/)
        expect([...bytes.body]).toEqual([0x3c, 0x62, 0x3e, 0, 255])
        const all = await asked(`/${path}/raw/${tip}/large`, root)
        expect(all.body.equals(large)).toBe(true)
        expect(all.headers.get('content-length')).toBe(String(large.length))
        expect(await asked(`/${path}/raw/${tip}/empty`, root)).toMatchObject({ status: 200, text: '' })
      })

      test('its number stands for its path, and files named as a view are found', async () => {
        expect((await asked(`/_${serial}/raw/tip/raw/tip/x`, root)).text).toBe('named as a view')
        expect((await asked(`//${path}/raw/tip/raw/tip/x`, root)).text).toBe('named as a view')
      })

      test('diff and patch of a commit are text', async () => {
        for (const form of ['diff', 'patch']) {
          const { status, headers, text } = await asked(`/${path}/changeset-${form}/${tip}`, root)
          expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
          expect(headers.get('content-security-policy')).toContain('sandbox')
          expect(text).toContain(`-one\n+${html}`)
          expect(text.includes('and why')).toBe(form === 'patch')
        }
      })

      test.each([
        ['zip', 'application/zip'],
        ['tar.gz', 'application/x-gzip'],
        ['tar.bz2', 'application/x-bzip2'],
        ['tar', 'application/x-tar'],
      ])('an archive as %s', async (format, type) => {
        const { status, headers, body } = await asked(`/${path}/archive/${branch}.${format}`, root)
        expect([status, headers.get('content-type')]).toEqual([200, type])
        const folder = `weather-${tip.slice(0, 12)}`
        expect(headers.get('content-disposition')).toBe(`attachment; filename*=UTF-8''${folder}.${format}`)
        const start = { zip: 'PK', 'tar.bz2': 'BZh' }[format]
        if (start) expect(body.subarray(0, start.length).toString('latin1')).toBe(start)
        else expect((format === 'tar' ? body : gunzipSync(body)).includes(`${folder}/page.html`)).toBe(true)
      })

      test('archives that cannot be are answered in the words of the contract', async () => {
        const text = async (end: string) => {
          const { status, headers, text } = await asked(`/${path}/archive/${end}`, root)
          expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
          return text
        }
        expect(await text('%3Cb%3E.zip')).toBe('Unknown revision <b>')
        expect(await text('tip.rar')).toBe('Unknown archive type')
        await app.system('repository.update', { repository: path, downloads: false })
        for (const end of ['tip.zip', 'nothing.zip', 'tip.rar']) expect(await text(end)).toBe('Downloads disabled')
        await app.system('repository.update', { repository: path, downloads: true })
      })

      test('what is not in it is not found', async () => {
        const gone = 'ab'.repeat(20)
        for (const end of ['raw/tip/none', 'raw/tip/deep', 'raw/none/page.html', `raw/${gone}/page.html`, 'raw/--help/x', 'changeset-diff/none'])
          expect((await asked(`/${path}/${end}`, root)).status, end).toBe(404)
      })

      test('key, token and session open it; a wrong key shows nothing', async () => {
        const at = `/${path}/raw/tip/page.html`
        const session = await app.nobody.call('session.create', { login: 'root', password })
        const cookie = `capstan_session=${session.json.token}`
        expect((await show(`${at}?api_key=${root.key}`)).text).toBe(html)
        expect((await show(at, { cookie })).text).toBe(html)
        for (const key of ['x'.repeat(40), '', 'null']) {
          for (const headers of [{}, { cookie }, { authorization: `Bearer ${root.key}` }])
            expect(await show(`${at}?api_key=${key}`, headers as Record<string, string>), key).toMatchObject({ status: 403, text: 'Forbidden\n' })
        }
        expect((await show(at, { authorization: `Bearer ${'x'.repeat(40)}` })).status).toBe(403)
        expect((await show(at, { cookie, 'sec-fetch-site': 'cross-site' })).status).toBe(302)
        expect((await show(at, { cookie: 'capstan_session=over' })).status).toBe(302)
      })

      test('what one may not see and what is not there look the same, in every view', async () => {
        const ends = ['raw/tip/page.html', 'raw/tip/none', `changeset-diff/${tip}`, 'changeset-patch/none', 'archive/tip.zip', 'archive/tip.rar']
        const seen = (shown: Shown) => [shown.status, shown.text, shown.headers.get('location'), shown.headers.get('content-type')]
        for (const end of ends) {
          expect(seen(await show(`/${path}/${end}`))).toEqual(seen(await show(`/no/such/${end}`)))
          expect(seen(await asked(`/${path}/${end}`, stranger))).toEqual(seen(await asked(`/no/such/${end}`, stranger)))
          expect((await show(`/${path}/${end}`)).headers.get('location')).toBe('/login')
          expect((await asked(`/${path}/${end}`, stranger)).status).toBe(404)
        }
      })

      test('everybody sees one that is open to everybody', async () => {
        await app.system('repository.update', { repository: path, private: false })
        await app.system('grant.set', { to: 'everyone', on: `repository:${path}`, level: 'read' })
        expect((await show(`/${path}/raw/tip/page.html`)).text).toBe(html)
        await app.system('repository.update', { repository: path, private: true })
        expect((await show(`/${path}/raw/tip/page.html`)).status).toBe(302)
      })

      test('a client that leaves ends what is made for it', async () => {
        for (let round = 0; round < 10; round++) {
          const leaving = new AbortController()
          const answer = await fetch(`${new URL(app.url).origin}/${path}/archive/tip.tar`, {
            headers: { authorization: `Bearer ${root.key}` },
            signal: leaving.signal,
          })
          await answer.body?.getReader().read()
          leaving.abort()
        }
        expect((await asked(`/${path}/archive/tip.zip`, root)).status).toBe(200)
      })
    })

    describe('a gist', () => {
      const files = [
        { name: 'page.html', text: html },
        { name: 'ä b.md', text: '# ü' },
      ]
      const make = (more: object = {}) => app.system('gist.create', { files, ...more }) as Promise<{ access_id: string }>

      test.each([true, false])('is text for everybody who has its address (public: %s)', async (isPublic) => {
        const { access_id: id } = await make({ public: isPublic })
        const at = `/_admin/gists/${id}`
        for (const end of ['', '/tip/raw', '/1/raw']) {
          const { status, headers, text } = await show(at + end)
          expect([status, text]).toEqual([200, `${html}\n\n# ü`])
          expect(headers.get('content-type')).toBe('text/plain; charset=utf-8')
          expect(headers.get('x-content-type-options')).toBe('nosniff')
          expect(headers.get('content-security-policy')).toContain('sandbox')
        }
        expect((await show(`${at}/tip/raw/%C3%A4%20b.md`)).text).toBe('# ü')
        for (const end of ['/2/raw', '/tip/raw/none', '/0/raw', '/x/raw', '/tip/raw/']) expect((await show(at + end)).status, end).toBe(404)
        expect((await show(`${at}/tip/raw?api_key=${'x'.repeat(40)}`)).status).toBe(403)
      })

      test('is found by its address only, and older versions by their number', async () => {
        const made = (await make()) as { access_id: string; id: string; serial: number }
        for (const id of [made.id, `_${made.serial}`, String(made.serial), `gist:${made.access_id}`, '%2E%2E', made.access_id.slice(1)])
          expect((await asked(`/_admin/gists/${id}/tip/raw`, root)).status, id).toBe(404)
        await app.system('gist.update', { gist: made.id, files: [{ name: 'a', text: 'two' }] })
        expect((await show(`/_admin/gists/${made.access_id}/tip/raw`)).text).toBe('two')
        expect((await show(`/_admin/gists/${made.access_id}/1/raw/page.html`)).text).toBe(html)
      })

      test('is gone for everybody when it has expired', async () => {
        const { access_id: id } = await make({ public: true, lifetime_minutes: 0 })
        for (const shown of [await show(`/_admin/gists/${id}/tip/raw`), await asked(`/_admin/gists/${id}/tip/raw`, root)])
          expect(shown.status).toBe(404)
      })
    })
  })
}
