import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { movedClock } from '../../../test/support/clock.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import { codes, misfit, table } from './contract-table.suite.ts'
import { acts, changed, fittingRequest, isPipeline, manifests, newName, openWorld, pipelines, send, takes, undo } from './contract-world.suite.ts'
import { routes } from './routes.ts'
import type { Code, Row } from './contract-table.suite.ts'
import type { Asked, Change, World } from './contract-world.suite.ts'
import type { Answer, Labs } from './deploy-lab.suite.ts'

const titled = (rows: readonly Row[]) => rows.map((row) => [`${row.method} ${row.path}`, row] as const)
const posts = titled(table.filter((row) => row.method === 'POST'))
const repeatable = titled(table.filter(acts))

/** What is true of each route of the contract's table, generated from it. */
export function contractSuite(labs: Labs): void {
  describe(`the table of the Deploy API over ${labs.store}`, () => {
    let world: World

    beforeAll(async () => {
      world = await openWorld(labs)
    })
    afterAll(() => world.lab.close())

    const codeOf = ({ status, json }: Answer) => (status === 200 ? '200' : `${status} ${json.error?.code}`)
    const said = (code: Code) => `${codes[code]} ${code}`
    const ask = (row: Row, asked: Asked, change: Change = {}) => send(world, row, changed(asked, change))

    test('is the table of the server: methods, addresses, protection and what is required, in its order', () => {
      const facts = table.map(({ method, path, auth, fields }) => ({
        method,
        path,
        auth,
        required: Object.keys(fields).filter((name) => fields[name] === null),
      }))
      expect(routes.map(({ method, path, auth, required = [] }) => ({ method, path, auth, required: [...required] }))).toEqual(facts)
    })

    test.each(titled(table))('%s succeeds with 200 and just the members of its body, under both prefixes', async (_, row) => {
      for (const prefix of ['', '/apps/deploy-api']) {
        const answer = await send(world, row, { ...(await fittingRequest(world, row)), prefix })
        expect(answer.status, answer.text).toBe(200)
        expect(misfit(answer.json, row.body)).toBeNull()
        expect(answer.headers).toMatchObject({
          'content-type': 'application/json; charset=utf-8',
          'cache-control': 'no-store',
          'x-request-id': expect.stringMatching(/^\S+$/),
        })
        // Compact JSON, no byte order mark, nothing besides.
        expect(answer.text).toBe(JSON.stringify(answer.json))
        if (acts(row)) await undo(world, answer)
      }
    })

    test('the lists show a job, a cron job, a deployment, a service, pods and a pipeline, each with just its members', async () => {
      const made: Answer[] = []
      for (const directory of ['fetch', 'nightly', 'app', 'web'] as const) {
        const name = newName()
        made.push(await world.lab.get(world.ann, `/v1/task/deployinas/weather/${directory}/space/${name}`))
      }
      made.push(await world.lab.get(world.ann, `/v1/pipeline/runinas/weather/report/space/${newName()}`))
      await world.lab.when('/v1/list/pods/space', ({ pods }) => (pods as unknown[]).length > 0, 'pods')
      for (const row of table.filter(({ path }) => path.startsWith('/v1/list/'))) {
        const { json } = await send(world, row, await fittingRequest(world, row))
        for (const list of Object.values(json)) expect((list as unknown as unknown[]).length, row.path).toBeGreaterThan(0)
        expect(misfit(json, row.body)).toBeNull()
      }
      for (const answer of made) await undo(world, answer)
    })

    describe('a field', () => {
      const cases = posts.flatMap(([title, row]) =>
        Object.entries(row.fields).flatMap(([name, value]) => (value === null ? [] : [[title, name, value, row] as const])),
      )
      const about = ({ json }: Answer) =>
        ['name', 'namespace', 'branch', 'schedule', 'repository', 'directory', 'type', 'commit'].map((member) => json[member])

      test.each(cases)('%s: %s that is absent or empty is "%s"', async (_, name, value, row) => {
        const explicit = { ':repository': 'weather', manifest: 'fetch' }[value] ?? value
        const seen: unknown[] = []
        for (const fields of [{}, { [name]: '' }, { [name]: explicit }]) {
          // An explicit branch needs a repository to be in.
          const answer = await ask(row, await fittingRequest(world, row), { fields, parameters: { name: 'defaulted' } })
          expect(answer.status, answer.text).toBe(200)
          seen.push(row.path.endsWith('/with-configuration') ? about(answer).slice(1) : about(answer))
          if (acts(row)) await undo(world, answer)
        }
        expect(seen[1]).toEqual(seen[0])
        expect(seen[2]).toEqual(seen[0])
      })

      const required = posts.flatMap(([title, row]) =>
        Object.keys(row.fields).flatMap((name) => (row.fields[name] === null ? [[title, name, row] as const] : [])),
      )
      test.each(required)('%s: %s is required', async (_, name, row) => {
        const asked = await fittingRequest(world, row)
        for (const text of [undefined, '']) {
          const { [name]: __, ...rest } = asked.fields
          const answer = await send(world, row, { ...asked, fields: { ...rest, ...(text !== undefined && { [name]: text }) } })
          expect([codeOf(answer), answer.json.error?.details]).toEqual([said('invalid_parameter'), { field: name }])
        }
      })
    })

    describe('a form', () => {
      const boundary = 'x-boundary-x'
      const multipart = (pairs: readonly (readonly [string, string])[]) =>
        `${pairs
          .map(([name, value]) => {
            const file = name === 'configuration' ? '; filename="a.json"\r\nContent-Type: application/json' : ''
            return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n${value}\r\n`
          })
          .join('')}--${boundary}--\r\n`
      const types = {
        multipart: (pairs: [string, string][]) => ({ type: `multipart/form-data; boundary=${boundary}`, bytes: multipart(pairs) }),
        urlencoded: (pairs: [string, string][]) => ({ type: 'application/x-www-form-urlencoded', bytes: new URLSearchParams(pairs).toString() }),
        json: (pairs: [string, string][]) => ({ type: 'application/json', bytes: JSON.stringify(Object.fromEntries(pairs)) }),
        'json with an object': (pairs: [string, string][]) => ({
          type: 'application/json; charset=utf-8',
          bytes: JSON.stringify(Object.fromEntries(pairs.map(([name, value]) => [name, name === 'configuration' ? JSON.parse(value) : value]))),
        }),
      }

      test.each(posts)('%s means the same as multipart, urlencoded and JSON, and unknown fields mean nothing', async (_, row) => {
        const answers: Answer[] = []
        const fixed = await fittingRequest(world, row)
        for (const type of Object.values(types)) {
          const fields = { ...fixed.fields, ...(Object.hasOwn(row.fields, 'branch') && { branch: 'dev' }), 'not-known': '\u00e9 & =' } as Record<
            string,
            string
          >
          // Without a repository there is no branch to be on.
          if (row.path.endsWith('/task/deploy/with-configuration')) Object.assign(fields, { repository: 'weather', directory: 'fetch' })
          const answer = await send(world, row, { ...fixed, body: type(Object.entries(fields)) })
          expect(answer.status, answer.text).toBe(200)
          answers.push(answer)
          if (acts(row)) await undo(world, answer)
        }
        const fresh = /"(id|work_id|created_at|replaced|task_id)":("[^"]*"|true|false)/g
        const texts = answers.map(({ text }) => text.replaceAll(fresh, ''))
        expect(new Set(texts)).toEqual(new Set([texts[0]]))
        if (Object.hasOwn(row.fields, 'branch')) expect(answers[0]?.json.branch).toBe('dev')
      })

      const wrong: [string, Code, { type: string; bytes: string | Buffer }][] = [
        [
          'a field twice in multipart',
          'duplicate_field',
          {
            type: `multipart/form-data; boundary=${boundary}`,
            bytes: multipart([
              ['x', '1'],
              ['x', '1'],
            ]),
          },
        ],
        ['a field twice, one empty', 'duplicate_field', { type: 'application/x-www-form-urlencoded', bytes: 'x=&x=1' }],
        ['a member twice', 'duplicate_field', { type: 'application/json', bytes: '{"x":"1","\\u0078":"1"}' }],
        [
          'multipart without its end',
          'invalid_form',
          { type: `multipart/form-data; boundary=${boundary}`, bytes: multipart([['x', '1']]).slice(0, -8) },
        ],
        ['multipart without a boundary', 'invalid_form', { type: 'multipart/form-data', bytes: multipart([]) }],
        ['bytes that are no UTF-8', 'invalid_form', { type: 'application/x-www-form-urlencoded', bytes: Buffer.from([0x61, 0x3d, 0xff]) }],
        ['half a percent sign', 'invalid_form', { type: 'application/x-www-form-urlencoded', bytes: 'x=%4' }],
        ['JSON that is none', 'invalid_form', { type: 'application/json', bytes: '{"x":' }],
        ['a JSON list', 'invalid_form', { type: 'application/json', bytes: '[]' }],
        ['JSON of depth 100', 'invalid_form', { type: 'application/json', bytes: `{"x":${'['.repeat(100)}${']'.repeat(100)}}` }],
        ['a prototype', 'invalid_form', { type: 'application/json', bytes: '{"__proto__":"x"}' }],
        ['another type', 'unsupported_media_type', { type: 'text/plain', bytes: 'x=1' }],
        ['XML', 'unsupported_media_type', { type: 'application/xml', bytes: '<x/>' }],
        ['a type that cannot be read', 'unsupported_media_type', { type: ';;', bytes: 'x=1' }],
        ['1 MiB and a byte', 'payload_too_large', { type: 'application/x-www-form-urlencoded', bytes: `x=${'a'.repeat(1024 * 1024 - 1)}` }],
      ]
      test.each(posts)('%s refuses what is no form, whoever asks for whatever', async (_, row) => {
        const asked = await fittingRequest(world, row)
        for (const [what, code, body] of wrong) {
          const answer = await send(world, row, { ...asked, body })
          expect(codeOf(answer), what).toBe(said(code))
          if (code === 'payload_too_large') expect(answer.headers.connection).toBe('close')
        }
      })

      test.each(posts)('%s takes a body of 1 MiB', async (_, row) => {
        const asked = await fittingRequest(world, row)
        const text = new URLSearchParams(asked.fields as Record<string, string>).toString()
        const start = `${text}${text && '&'}filler=`
        const bytes = start + 'a'.repeat(1024 * 1024 - start.length)
        const answer = await send(world, row, { ...asked, body: { type: 'application/x-www-form-urlencoded', bytes } })
        expect(answer.status, answer.text).toBe(200)
        if (acts(row)) await undo(world, answer)
      })
    })

    describe('the order of decisions', () => {
      const orders = titled(table.filter((row) => row.auth === 'protected' && (acts(row) || takes(row, 'namespace'))))
      test.each(orders)('%s: of everything that is wrong at once, the first counts', async (_, row) => {
        const asked = await fittingRequest(world, row)
        const { ann, bob, lab } = world
        const config = takes(row, 'configuration')
        const taken = acts(row) ? await ask(row, asked, config ? {} : { parameters: { name: 'taken' } }) : null
        if (taken) expect(taken.status, taken.text).toBe(200)
        const wrongDirectory = (name: string): Change => {
          if (!config) return { parameters: { directory: name } }
          return Object.hasOwn(row.fields, 'directory') ? { fields: { repository: 'weather', directory: name } } : {}
        }
        const badContent = (): Change => {
          if (!config) return wrongDirectory(isPipeline(row) ? 'bad_report' : 'bad')
          const { fields = {} } = wrongDirectory('fetch')
          return { fields: { ...fields, configuration: JSON.stringify({ ...(isPipeline(row) ? pipelines.bad_report : manifests.bad), name: 'x' }) } }
        }
        // Each step mends one thing; what is wrong after it is what the answer names.
        const steps: [string, Change][] = [
          [said('method_not_allowed'), { method: 'PUT', who: null, query: '?x=%zz', ...wrongDirectory('nothing') }],
          [said('identity_required'), { method: row.method }],
          [said('cross_site_request'), { who: bob, headers: { 'sec-purpose': 'prefetch' } }],
          [said('invalid_parameter'), { headers: {} }],
          [said('forbidden'), { query: '' }],
        ]
        if (acts(row)) {
          const missing = !(config && isPipeline(row))
          steps.push([missing ? said('directory_not_found') : said('pipeline_invalid'), { who: ann, ...(!missing && badContent()) }])
          if (missing) steps.push([said(isPipeline(row) ? 'pipeline_invalid' : 'manifest_invalid'), badContent()])
          const name = config ? {} : { parameters: { name: 'taken', directory: asked.parameters.directory ?? '' } }
          steps.push([said('name_in_use'), { ...name, ...(config && { fields: { ...wrongDirectory('fetch').fields, ...asked.fields } }) }])
        } else {
          const [kind = ''] = /(?<=delete\/)\w+/.exec(row.path) ?? []
          steps.push([`404 ${kind}_not_found`, { who: ann, parameters: { [kind]: 'nothing' } }])
        }
        let now = asked
        const seen: string[] = []
        for (const [, change] of steps) {
          now = changed(now, change)
          seen.push(codeOf(await send(world, row, now)))
        }
        expect(seen).toEqual(steps.map(([code]) => code))
        if (taken) await undo(world, taken)
        else
          await lab.get(
            ann,
            row.path.replace(/:(\w+)/g, (_, name: string) => asked.parameters[name] ?? ''),
          )
      })
    })

    describe('an Idempotency-Key', () => {
      test('is forgotten after a day, and means nothing where nothing is done', async () => {
        const clock = movedClock(systemClock)
        const later = await labs.open({ clock })
        try {
          const ann = await later.person('ann', { administrator: true })
          const headers = { 'idempotency-key': 'day' }
          const configuration = (name: string) => ({ namespace: 'day', configuration: JSON.stringify({ ...manifests.fetch, name }) })
          const ask = (name: string) =>
            later.request(ann, 'POST', '/v2/task/deploy/with-configuration', {
              headers: { ...headers, 'content-type': 'application/json' },
              payload: JSON.stringify(configuration(name)),
            })
          const first = await ask('one')
          clock.move(24 * 3_600_000 - 10_000)
          expect((await ask('one')).headers['idempotency-replayed']).toBe('true')
          expect(codeOf(await ask('two'))).toBe(said('idempotency_key_reuse'))
          clock.move(20_000)
          const fresh = await ask('two')
          expect([fresh.status, fresh.headers['idempotency-replayed'], fresh.json.id === first.json.id]).toEqual([200, undefined, false])
          const lists = await Promise.all([1, 2].map(() => later.get(ann, '/v1/list/namespaces', { headers })))
          expect(lists.map((answer) => answer.headers['idempotency-replayed'])).toEqual([undefined, undefined])
        } finally {
          await later.close()
        }
      })

      test('is 1 to 255 printable characters', async () => {
        const [, row] = repeatable[0] as (typeof repeatable)[number]
        const asked = await fittingRequest(world, row)
        for (const key of ['', 'x'.repeat(256), 'a\tb', 'caf\u00e9']) {
          const answer = await send(world, row, { ...asked, headers: { 'idempotency-key': key } })
          expect([key, codeOf(answer), answer.json.error?.details]).toEqual([key, said('invalid_parameter'), { field: 'Idempotency-Key' }])
        }
        const longest = await send(world, row, { ...asked, headers: { 'idempotency-key': `${'~ '.repeat(127)}!` } })
        expect(longest.status).toBe(200)
        await undo(world, longest)
      })

      test.each(repeatable)('%s: repeats the first answer for the same caller, route and request only', async (_, row) => {
        const { ann, lab } = world
        const key = { 'idempotency-key': `a key ~ ${newName()}` }
        const asked = { ...(await fittingRequest(world, row)), headers: key }
        const answers = await Promise.all([1, 2, 3].map(() => send(world, row, asked)))
        const [first] = answers as [Answer]
        expect(first.status, first.text).toBe(200)
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
        expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true')).toHaveLength(2)

        const config = takes(row, 'configuration')
        const configuration = JSON.stringify({ ...(isPipeline(row) ? pipelines.summary : manifests.other), name: newName() })
        const other = config ? { fields: { configuration } } : { parameters: { directory: isPipeline(row) ? 'summary' : 'other' } }
        expect(codeOf(await ask(row, asked, other))).toBe(said('idempotency_key_reuse'))

        // Another route, and another caller, have the key for themselves.
        const elsewhere = await lab.get(ann, `/v1/task/deployinas/weather/other/space/${newName()}`, { headers: key })
        expect([elsewhere.status, elsewhere.headers['idempotency-replayed']]).toEqual(
          row.path.includes('/v1/task/deployinas') && row.method === 'GET' ? [422, undefined] : [200, undefined],
        )
        await undo(world, first)
        const again = await send(world, row, asked)
        expect([again.text, again.headers['idempotency-replayed']]).toEqual([first.text, 'true'])
        const root = await lab.person(newName(), { administrator: true })
        const theirs = await send(world, row, { ...asked, who: root })
        expect([theirs.status, theirs.headers['idempotency-replayed'], theirs.json.id === first.json.id]).toEqual([200, undefined, false])
        await undo(world, theirs)
        if (elsewhere.status === 200) await undo(world, elsewhere)
      })
    })
  })
}
