import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addressOf, conflicting, fitting, misfit, nothing, table } from './contract-world.suite.ts'
import { denied } from './errors.ts'
import { routes } from './routes.ts'
import type { Row } from './contract-world.suite.ts'
import type { Answer, Asked, KomandLab, Labs, Member } from './komand-lab.suite.ts'

const titleOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`
const titled = (rows: readonly Row[]) => rows.map((row) => [titleOf(row), row] as const)
const has = (status: number) => (row: Row) => row.errors.some(([one]) => one === status)
const uid = ({ path }: Row) => path.includes(':')

/** What is true of each route of the contract's table, generated from it. */
function contractSuite(labs: Labs): void {
  describe(`the table of the Komand API over ${labs.store}`, () => {
    let lab: KomandLab
    beforeAll(async () => {
      lab = await labs.open({ config: { pluginRoot: join(import.meta.dirname, '../../../examples/plugins') } })
    })
    afterAll(() => lab.close())

    const ask = (row: Row, who: Member | null, address: string, asked: Asked = {}) => lab.as(who, row.method, address, asked)
    const said = ({ status, json }: Answer) => [status, json.status]

    test('is the table of the server: methods, addresses, protection and permissions', () => {
      const facts = table.map((row) => `${titleOf(row)} ${row.auth} ${row.permission ?? ''}`)
      // The contract names the alias of cancelling in its text.
      const own = routes.filter(({ path }) => !path.endsWith('/events/cancel'))
      expect(own.map((route) => `${titleOf(route)} ${route.auth ?? 'token'} ${route.permission ?? ''}`).sort()).toEqual(facts.sort())
      expect(table).toHaveLength(56)
    })

    test.each(titled(table))('%s succeeds with 200 and just the members of its body, a slash at the end tolerated', async (title, row) => {
      for (const slash of ['', '/']) {
        const fit = await fitting[title]?.(lab)
        expect(fit).toBeDefined()
        const who = title === 'DELETE /v2/sessions' ? { ...lab.ann, token: await lab.logIn('ann', lab.ann.password) } : lab.root
        const answer = await ask(row, row.auth === 'none' ? null : who, addressOf(row, fit?.parameters ?? {}, slash + (fit?.query ?? '')), {
          ...(fit?.body !== undefined && { body: fit.body }),
        })
        expect(answer.status, answer.text).toBe(200)
        expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
        expect(misfit(answer.json, row.success)).toBeNull()
      }
    })

    test.each(titled(table.filter(({ auth }) => auth === 'token')))('%s is closed to who is not known, always in the same words', async (_, row) => {
      const [header, , signature] = lab.root.token.split('.')
      const claims = Buffer.from(JSON.stringify({ sub: 'root', iat: 1, exp: 9_999_999_999 })).toString('base64url')
      const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
      const bodies = new Set<string>()
      for (const headers of [
        {},
        { authorization: 'Bearer x' },
        { authorization: 'Basic cm9vdDpyb290' },
        { authorization: `Bearer ${header}.${claims}.${signature}` },
        { authorization: `Bearer ${none}.${claims}.` },
        { cookie: 'jwt=' },
        { cookie: `jwt=${lab.root.token}x` },
        // The header wins, also when it is wrong.
        { authorization: 'Bearer x', cookie: `jwt=${lab.root.token}` },
      ] as Record<string, string>[]) {
        const answer = await lab.send(row.method, addressOf(row, {}), { headers, ...(row.body && { raw: 'no json' }) })
        expect(said(answer)).toEqual([401, 'UNAUTHORIZED'])
        bodies.add(answer.text)
      }
      expect(bodies.size).toBe(1)
    })

    test.each(titled(table.filter(({ permission }) => permission)))(
      '%s is refused without its permission, before anything else is looked at',
      async (_, row) => {
        for (const asked of [{}, { raw: '{' }]) {
          const answer = await ask(row, lab.ann, addressOf(row, nothing), asked)
          expect(answer.status).toBe(403)
          expect(answer.text).toBe(`{"message":"${denied}","status":"ACCESS_DENIED"}`)
        }
      },
    )

    test.each(titled(table.filter((row) => has(404)(row) && uid(row))))('%s says of what is not there that it is not found', async (title, row) => {
      const fit = await fitting[title]?.(lab)
      const asked = fit?.body === undefined ? {} : { body: fit.body }
      const who = row.auth === 'none' ? null : lab.root
      expect(said(await ask(row, who, addressOf(row, nothing), asked))).toEqual([404, 'NOT_FOUND'])
      const [, first = ''] = /:(\w+)/.exec(row.path) ?? []
      for (const odd of ['no-such-thing', '..%2f..', 'kind:workflow', '__proto__']) {
        const address = addressOf(row, nothing).replace(encodeURIComponent(nothing[first] ?? ''), odd)
        const { status } = await ask(row, who, address, asked)
        expect([400, 404], `${address}: ${status}`).toContain(status)
      }
    })

    const hidden = table.filter(
      (row) => has(404)(row) && row.auth === 'token' && !row.permission && /:(workflow_uid|job_id|id|connection_id)\b/.test(row.path),
    )
    test.each(titled(hidden))('%s hides what the caller may not see, in the words for what is not there', async (title, row) => {
      const fit = await fitting[title]?.(lab)
      const asked = fit?.body === undefined ? {} : { body: fit.body }
      const answer = await ask(row, lab.sam, addressOf(row, fit?.parameters ?? {}), asked)
      expect(said(answer)).toEqual([404, 'NOT_FOUND'])
    })

    test.each(titled(table.filter((row) => row.body && has(400)(row))))(
      '%s takes a JSON object of bounded depth and nothing else',
      async (title, row) => {
        const fit = await fitting[title]?.(lab)
        const who = row.auth === 'none' ? null : lab.root
        const deep = `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`
        for (const raw of ['{', '[]', '"text"', '1', 'null', '\u0000', deep, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]) {
          const answer = await ask(row, who, addressOf(row, fit?.parameters ?? {}), { raw })
          expect(said(answer), String(raw).slice(0, 20)).toEqual([400, 'BAD_REQUEST'])
        }
      },
    )

    test.each(titled(table.filter(({ body }) => body)))('%s refuses a body beyond 10 MiB', async (title, row) => {
      const fit = await fitting[title]?.(lab)
      const raw = Buffer.alloc(10 * 1024 * 1024 + 1, 0x20)
      expect(said(await ask(row, row.auth === 'none' ? null : lab.root, addressOf(row, fit?.parameters ?? {}), { raw }))).toEqual([413, 'TOO_LARGE'])
    })

    const gone = table.filter(has(410))
    test.each(titled(gone))('%s says of a deleted workflow that it is gone', async (_, row) => {
      const workflow_uid = await lab.workflow()
      await lab.ok('DELETE', `/v2/workflows/${workflow_uid}`)
      const asked = row.method === 'PUT' ? { body: { description: 'x' } } : {}
      expect(said(await ask(row, lab.root, addressOf(row, { workflow_uid }), asked))).toEqual([410, 'GONE'])
      if (!row.permission) expect(said(await ask(row, lab.sam, addressOf(row, { workflow_uid }), asked))).toEqual([404, 'NOT_FOUND'])
    })

    // Deleting what workflows use only breaks these: a connection or a shared list is not held by them; a draft needs no test version; the rest is 409.
    const never = new Set(['POST /v2/workflows/:workflow_uid/test', 'DELETE /v2/connections/:connection_id', 'DELETE /v2/artifacts/:id'])
    test.each(titled(table.filter((row) => has(409)(row) && !never.has(titleOf(row)))))(
      '%s refuses what conflicts with what is there',
      async (title, row) => {
        const fit = await conflicting[title]?.(lab)
        expect(fit).toBeDefined()
        const answer = await ask(row, lab.root, addressOf(row, fit?.parameters ?? {}), fit?.body === undefined ? {} : { body: fit.body })
        expect(said(answer), answer.text).toEqual([409, 'CONFLICT'])
      },
    )
  })
}

export { contractSuite }
