import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isObject } from '../../src/core/kernel/json.ts'
import { operations } from '../../src/core/operations.ts'
import { openApp } from '../support/app.ts'
import { pathsBelow } from '../support/files.ts'
import { makeSource, makingIn } from './matrix-fixtures.ts'
import { fixtures } from './matrix-table.ts'
import type { Json } from '../../src/core/kernel/json.ts'
import type { AnyOperation } from '../../src/core/operation/operation.ts'
import type { Person, TestApp } from '../support/app.ts'
import type { Reply } from '../support/client.ts'

// Every text of every input is hostile: options, shell, paths, control and direction characters, words of prototypes, and much too much of it.

const mark = 'PWNED'
const hostile: readonly string[] = [
  `--upload-pack=touch ${mark}`,
  `-${mark}`,
  `x; touch ${mark}`,
  `$(touch ${mark})`,
  `\`touch ${mark}\``,
  `../../../${mark}`,
  `/tmp/../${mark}`,
  `a/../../${mark}`,
  `a\n${mark}`,
  `a\0${mark}`,
  `\u202e${mark}\u2066`,
  `${mark}\u0000.git`,
  '__proto__',
  'constructor',
  'toString',
  'user:__proto__',
  'repository:../..',
  `kind:${mark}`,
  '',
  'é'.repeat(20_000),
]

let app: TestApp
let admin: Person
let writer: Person

beforeAll(async () => {
  app = await openApp({ config: { openRoutes: 'granted' }, knobs: { durationMs: 0, exitCode: 0 } })
  await app.person('stranger')
  await app.person('reader')
  writer = await app.person('writer')
  admin = await app.person('root', { administrator: true })
  await makeSource(app)
})
afterAll(() => app?.close())

/** Where texts stand in an input: each as a function that puts another there. */
function places(input: Json, put: (changed: Json) => Json = (changed) => changed): ((text: string) => Json)[] {
  if (typeof input === 'string') return [put]
  if (Array.isArray(input)) return input.flatMap((item, at) => places(item, (changed) => put(input.with(at, changed))))
  if (!isObject(input)) return []
  return Object.entries(input).flatMap(([name, value]) => places(value, (changed) => put({ ...input, [name]: changed })))
}

/** The input with every text that the schema knows: what is optional must be as robust as what is not. */
function filled(operation: AnyOperation, input: Record<string, Json>): Record<string, Json> {
  const properties = (operation.input as { properties?: Record<string, { type?: string; items?: { type?: string } }> }).properties ?? {}
  const more: Record<string, Json> = {}
  for (const [name, { type, items }] of Object.entries(properties)) {
    if (name in input) continue
    if (type === 'string') more[name] = 'x'
    if (type === 'array' && items?.type === 'string') more[name] = ['x']
  }
  return { ...input, ...more }
}

// 501 is an honest word for what is not built; everything else from 500 on is a defect.
function isDefect({ status }: Reply): boolean {
  return status >= 500 && status !== 501
}

describe.each(operations.map((operation) => [operation.name, operation] as const))('%s', (name, operation) => {
  test('takes no hostile text for anything but a text', async () => {
    const defects: string[] = []
    const base = (await fixtures[name]?.input(makingIn(app))) as Record<string, Json>
    const full = filled(operation, base)
    // Each place of the working input alone, and then the optional members one by one beside it.
    const inputs = [
      ...places(base),
      ...Object.keys(full)
        .filter((member) => !(member in base))
        .flatMap((member) => places({ [member]: full[member] ?? null }, (changed) => ({ ...base, ...(changed as object) }))),
    ]
    for (const put of inputs) {
      const replies = await Promise.all(
        hostile.map(async (text, at) => ({ text, reply: await (at % 2 === 0 ? admin : writer).call(name, put(text)) })),
      )
      for (const { text, reply } of replies) if (isDefect(reply)) defects.push(`${JSON.stringify(put(text)).slice(0, 200)} → ${reply.text}`)
    }
    expect(defects).toEqual([])
  })
})

test('members named like those of a prototype are refused or ignored, and change nothing for others', async () => {
  for (const { name } of operations) {
    for (const body of ['{"__proto__":{"administrator":true}}', '{"constructor":{"prototype":{"administrator":true}}}', '{"__proto__":null}']) {
      const reply = await writer.request('POST', `/api/v1/${name}`, { headers: { 'content-type': 'application/json' }, body })
      expect(isDefect(reply), `${name} ${body} → ${reply.text}`).toBe(false)
    }
  }
  expect(Reflect.get({}, 'administrator')).toBeUndefined()
  expect((await writer.ok('session.get')).user?.administrator ?? false).toBe(false)
})

test('addresses made of hostile names answer, and never with a defect', async () => {
  const defects: string[] = []
  for (const text of hostile.map((one) => one.slice(0, 2000))) {
    const part = encodeURIComponent(text)
    const paths = [
      `/api/v1/${part}`,
      `/api/v1/runs/${part}/log`,
      `/api/v1/runs/${part}/log?step=${part}&offset=${part}`,
      `/v1/task/deploy/${part}/${part}`,
      `/v1/task/deployinas/source/job/${part}/${part}`,
      `/v1/list/tasks/${part}`,
      `/v1/task/state/${part}`,
      `/v1/pipeline/state/${part}/${part}`,
      `/v1/delete/job/${part}/${part}`,
      `/${part}/info/refs?service=git-upload-pack`,
      `/${part}/info/refs?service=${part}`,
      `/source/../${part}/info/refs?service=git-upload-pack`,
    ]
    for (const path of paths) {
      for (const method of path.startsWith('/api/v1/') && !path.includes('runs') ? ['POST'] : ['GET']) {
        const reply = await admin.request(method, path, method === 'POST' ? { headers: { 'content-type': 'application/json' }, body: '{}' } : {})
        if (isDefect(reply)) defects.push(`${method} ${path} → ${reply.status} ${reply.text}`)
      }
    }
  }
  expect(defects).toEqual([])
})

test('after all of it nothing was made outside, no defect was logged, and the server answers', async () => {
  const folders = pathsBelow(app.folder).map(({ path }) => relative(app.folder, path))
  // A branch may be called almost anything, and its name is that of a file of its repository.
  const branches = /^data\/repositories\/[0-9a-f-]{36}\.git\/refs\/heads\//
  expect(folders.filter((path) => path.includes(mark) && !branches.test(path))).toEqual([])
  expect(readdirSync(app.folder)).toEqual(['data'])
  expect(
    readdirSync(join(app.folder, 'data', 'repositories')).filter(
      (name) => !/^([0-9a-f-]{36}\.(git|hg)|\.aside-[0-9a-f-]{36}|\.home|\.run-hg-\w{6})$/.test(name),
    ),
  ).toEqual([])
  for (const folder of [process.cwd(), dirname(app.folder), '/', '/tmp']) expect(existsSync(join(folder, mark)), folder).toBe(false)
  expect(app.logged.filter(({ event }) => event === 'operation.failed').map(({ fields }) => String(fields.error))).toEqual([])
  expect((await admin.call('session.get')).status).toBe(200)
})
