import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

type Who = Awaited<ReturnType<KallitheaLab['member']>>
const files = { 'notes.md': { content: '# ä\n', lexer: 'markdown' }, empty: { content: '' } }

/** The rules of gists that the contract's table of methods does not say (§9, §15 D4, D7, D13). */
export function gistRulesSuite(title: string, options: { readonly databaseUrl?: string } = {}): void {
  describe(title, () => {
    let lab: KallitheaLab
    let ann: Who
    let bob: Who
    beforeAll(async () => {
      lab = await openKallitheaLab(options.databaseUrl ? { config: { databaseUrl: options.databaseUrl } } : {})
      ann = await lab.member('ann')
      bob = await lab.member('bob')
    })
    afterAll(() => lab?.close())

    const create = async (who: Who, more: object = {}) => (await lab.result(who, 'create_gist', { files, ...more })).gist
    const own = async (who: Who) => ((await lab.result(who, 'get_gists')) as { access_id: string }[]).map(({ access_id }) => access_id)

    test('a gist without further words is public, for ever, and named by its number', async () => {
      const gist = await create(ann)
      expect(gist).toEqual({
        gist_id: gist.gist_id,
        type: 'public',
        access_id: String(gist.gist_id),
        description: '',
        // The lab is told its port too late to say it.
        url: expect.stringMatching(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/_admin/gists/${gist.gist_id}$`)),
        expires: -1,
        created_on: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      })
      expect(await lab.result(ann, 'get_gist', { gistid: String(gist.gist_id) })).toEqual(gist)
    })

    test("someone else's gist is not there, public or private, by number or by letters; an administrator sees it", async () => {
      for (const gist_type of ['public', 'private']) {
        const gist = await create(ann, { gist_type })
        for (const gistid of [gist.gist_id, gist.access_id]) {
          for (const method of ['get_gist', 'delete_gist']) {
            expect(await lab.error(bob, method, { gistid })).toBe(`gist \`${gistid}\` does not exist`)
          }
          expect(await lab.result(lab.root, 'get_gist', { gistid })).toEqual(gist)
        }
        const deleted = { msg: `deleted gist ID:${gist.access_id}`, gist: null }
        expect(await lab.result(lab.root, 'delete_gist', { gistid: gist.access_id })).toEqual(deleted)
        expect(await lab.error(ann, 'get_gist', { gistid: gist.gist_id })).toContain('does not exist')
      }
    })

    test('one lists both types of oneself, newest first; only administrators list those of others', async () => {
      const carl = await lab.member('carl')
      const [first, second] = [await create(carl), await create(carl, { gist_type: 'private' })]
      expect(await own(carl)).toEqual([second.access_id, first.access_id])
      const { user_id } = await lab.result(carl, 'get_user')
      for (const userid of [user_id, null]) expect(await lab.result(carl, 'get_gists', { userid })).toHaveLength(2)
      for (const userid of ['carl', String(user_id), user_id + 1]) {
        expect(await lab.error(carl, 'get_gists', { userid })).toBe('userid is not the same as your user')
      }
      for (const userid of ['carl', user_id, String(user_id)]) expect(await lab.result(lab.root, 'get_gists', { userid })).toHaveLength(2)
    })

    test.each([
      [-1, null],
      ['-1', null],
      ['soon', null],
      [null, null],
      [{}, null],
      [10, 600],
      ['10', 600],
      [1e30, 525_600_000 * 60],
    ])('a lifetime of %j', async (lifetime, seconds) => {
      const gist = await create(ann, { lifetime })
      if (seconds === null) expect(gist.expires).toBe(-1)
      else expect(Math.abs(gist.expires - Date.parse(`${gist.created_on}Z`) / 1000 - seconds)).toBeLessThan(0.002)
    })

    test.each([0, '0', -7])('what lives %j minutes is over when it is made', async (lifetime) => {
      const gist = await create(ann, { lifetime })
      expect(await lab.error(ann, 'get_gist', { gistid: gist.gist_id })).toBe(`gist \`${gist.gist_id}\` does not exist`)
      expect(await own(ann)).not.toContain(gist.access_id)
    })

    test.each([
      ['a slash', { 'a/b': { content: '' } }],
      ['a dot in front', { '.netrc': { content: '' } }],
      ['no name', { '': { content: '' } }],
      ['no content', { a: {} }],
      ['content that is no text', { a: { content: 1 } }],
      ['a list', ['a']],
      ['a text', 'a'],
      ['null', null],
    ])('files with %s fail, and leave nothing behind', async (_, bad) => {
      const before = await own(ann)
      expect(await lab.error(ann, 'create_gist', { files: bad })).toBe('failed to create gist')
      expect(await own(ann)).toEqual(before)
      await create(ann)
    })

    test('a gist may have no files; a type that there is not fails', async () => {
      expect(await create(ann, { files: {} })).toMatchObject({ type: 'public' })
      expect(await lab.error(ann, 'create_gist', { files, gist_type: 'secret' })).toBe('failed to create gist')
    })

    test('a file may be named as a member of every object is', async () => {
      const body = JSON.stringify({ id: 1, api_key: ann.key, method: 'create_gist', args: { files: 0 } }).replace(
        '"files":0',
        '"files":{"__proto__":{"content":"x"},"constructor":{"content":"y"}}',
      )
      const { access_id } = JSON.parse((await lab.raw({ body })).text).result.gist
      expect((await lab.app.system('gist.get', { gist: access_id })).files).toEqual([
        { name: '__proto__', text: 'x' },
        { name: 'constructor', text: 'y' },
      ])
    })

    test('who is no administrator owns what it makes, and may say so', async () => {
      expect(await lab.error(ann, 'create_gist', { files, owner: 'bob' })).toBe('Only Kallithea admin can specify `owner` param')
      const { access_id } = await create(ann, { owner: 'ann' })
      expect(await own(ann)).toContain(access_id)
      const { access_id: given } = (await lab.result(lab.root, 'create_gist', { files, owner: 'bob' })).gist
      expect(await own(bob)).toContain(given)
    })
  })
}
