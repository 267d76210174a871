import { existsSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operations } from '../../src/core/operations.ts'
import { showing } from '../support/canary.ts'
import { pathsBelow } from '../support/files.ts'
import { git, gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Canary } from '../support/canary.ts'
import type { Person, Server } from '../support/server.ts'

// Secrets are planted everywhere that takes one; then everything that the server ever says or writes is searched for them, in every usual spelling.

const token = 'canary "of" a/namespace + more'
const general = 'canary%of everybody/77'
const password = 'canary phrase & 4 "dora"'
const canaries: Canary[] = [
  { what: 'the secret of a namespace', value: token },
  { what: 'the general secret', value: general },
  { what: 'a password', value: password },
]
// A plain value of a manifest is for everybody who may read its repository, but it is no part of any answer about its run.
const written: Canary = { what: 'a plain value of a manifest', value: 'canary/written "down"' }
const shownOnce: ReadonlySet<string> = new Set(['api-key.create', 'signing-key.create', 'session.create', 'user.register'])
const answers: { what: string; text: string }[] = []
const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

let server: Server
let dora: Person
let run: string

beforeAll(async () => {
  server = await startServer({
    environment: { CAPSTAN_LOG_LEVEL: 'debug', CAPSTAN_LOG_FORMAT: 'json' },
    record(what, { text, headers }) {
      const operation = what.replace('POST /api/v1/', '')
      // What shows a new secret does so this once.
      if (!shownOnce.has(operation) || text.includes('"error"')) answers.push({ what, text: `${text}\n${JSON.stringify([...headers])}` })
    },
  })
  const { admin } = server
  dora = await server.person('dora', { password })
  canaries.push({ what: 'an API key', value: dora.token ?? '' })
  canaries.push({ what: 'a signing key', value: (await admin.ok('signing-key.create', { user: 'dora' })).secret })
  canaries.push({ what: 'a session', value: (await server.nobody.ok('session.create', { login: 'dora', password })).token })
  await admin.ok('secret.set', { name: 'general', value: general })
  await admin.ok('grant.set', { to: 'user:dora', on: 'secret:general', level: 'execute' })
  await admin.ok('namespace.create', { namespace: 'vault' })
  await admin.ok('grant.set', { to: 'user:dora', on: 'namespace:vault', level: 'admin' })
  await dora.ok('secret.set', { scope: 'namespace:vault', name: 'token', key: 'key', value: token })
  await dora.ok('repository.create', { path: 'vault' })
  const env = [
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'key' } } },
    { name: 'GENERAL', valueFrom: { secretKeyRef: { name: 'general', key: 'value' } } },
  ]
  const { code, err } = await pushTree(gitUrl(server.url, 'vault', { name: 'dora', password }), shellTask('leak', leaking, { env }))
  expect(code, err).toBe(0)
  const plain = { type: 'job', name: 'plain', cmd: ['/bin/true'], env: [{ name: 'WRITTEN', value: written.value }] }
  await dora.ok('task.deploy', { repository: 'vault', directory: 'leak', configuration: plain })
  const broken = await dora.call('task.deploy', {
    repository: 'vault',
    directory: 'leak',
    configuration: { ...plain, type: 'none', cmd: written.value },
  })
  expect(broken.status).toBe(422)
  run = (await dora.get('/v1/task/deploy/vault/leak')).json.id
  await until('the task has ended', async () => ends.includes((await dora.ok('run.get', { run })).state))
})
afterAll(() => server?.close())

// All that a careless task does with a secret: as it is, inside of a line, at once, in pieces, and in every usual spelling.
const leaking = `
echo begin
for value in "$TOKEN" "$GENERAL"; do
  echo "$value"
  echo "url=https://user:$value@example.org/"
  printf %s "$value" | base64 -w0; echo
  printf 'x%s' "$value" | base64 -w0; echo
  printf 'xx%s' "$value" | base64 -w0; echo
  printf %s "$value" | od -An -v -tx1 | tr -d ' \\n'; echo
  printf %s "$value" | sed 's/%/%25/g; s, ,%20,g; s,/,%2F,g; s,+,%2B,g; s,",%22,g; s,&,%26,g'; echo
  printf %s "$value" | sed 's/"/\\\\"/g'; echo
  printf %s "$value" | cut -c1-10 | tr -d '\\n'; sleep 0.1; printf %s "$value" | cut -c11-; echo
  echo "$value" >&2
done
env | sort
sh -xc 'true "$TOKEN"'
echo end
`

test('the task that printed them all has a log without any of them', async () => {
  const { text } = await dora.get(`/api/v1/runs/${run}/log`)
  expect(text).toMatch(/^begin\n[\s\S]*\nend\n$/)
  expect(text.split('***').length).toBeGreaterThan(15)
  expect(showing(canaries, 'the log', text)).toEqual([])
  const followed = await fetch(`${server.url}/api/v1/runs/${run}/log?follow=true`, { headers: { authorization: `Bearer ${dora.token}` } })
  expect(showing(canaries, 'the followed log', await followed.text())).toEqual([])
})

test('no answer of any operation, page or other API shows one', async () => {
  const references: Record<string, object> = {
    'user.get': { user: 'dora' },
    'api-key.list': { user: 'dora' },
    'signing-key.list': { user: 'dora' },
    'secret.list': { scope: 'namespace:vault' },
    'grant.list': { on: 'namespace:vault' },
    'permission.get': { on: 'namespace:vault', user: 'dora' },
    'permission.list': { kind: 'secret' },
    'repository.get-file': { repository: 'vault', path: 'leak/manifest.json' },
    'batch.run': { operations: ['secret.list', 'user.list', 'audit.list', 'run.list'].map((operation) => ({ operation, input: {} })) },
  }
  const general = { run, step: 'main', task: run, repository: 'vault', namespace: 'vault', path: 'vault', on: 'namespace:vault' }
  for (const operation of operations.filter(({ effect }) => effect === 'read')) {
    const properties = (operation.input as { properties?: object }).properties ?? {}
    const input = references[operation.name] ?? Object.fromEntries(Object.entries(general).filter(([name]) => name in properties))
    for (const person of [server.admin, dora]) await person.call(operation.name, input)
  }
  const pages = [
    '/',
    '/healthz',
    '/readyz',
    '/metrics',
    '/api/v1/openapi.json',
    `/v1/task/state/${run}`,
    '/v1/list/tasks',
    '/v1/list/tasks/vault',
    '/v1/list/pods',
    '/v1/list/namespaces',
  ]
  for (const page of pages) await dora.get(page)
  expect(answers.length).toBeGreaterThan(operations.filter(({ effect }) => effect === 'read').length)
  expect(answers.flatMap(({ what, text }) => showing([...canaries, written], what, text))).toEqual([])
})

test('no error echoes one, wherever it was put by mistake', async () => {
  const before = answers.length
  const { admin, nobody } = server
  await nobody.call('session.create', { login: 'dora', password: `${password}x` })
  await nobody.call('session.create', { login: 'dora', password, extra: password })
  await nobody.call('session.create', { login: 'dora', password: { value: password } })
  await nobody.call('bootstrap.redeem', { token: password, name: 'x', password })
  await admin.call('user.create', { name: 'late', password: password.slice(0, 3) })
  await admin.call('user.create', { name: 'dora', password })
  await admin.call('user.set-password', { user: 'nobody-here', password })
  await dora.call('user.set-password', { password: 'short', old_password: password })
  await admin.call('secret.set', { name: 'no such name!', value: token })
  await admin.call('secret.set', { scope: 'namespace:no such', name: 'x', value: token })
  await dora.call('secret.set', { name: 'general', value: token })
  await admin.call('secret.set', { name: 'x', value: [token] })
  for (const secret of canaries.map(({ value }) => value.replaceAll(/[^\x21-\x7e]/g, ''))) {
    await nobody.request('POST', '/api/v1/user.list', { headers: { authorization: `Bearer ${secret}x` } })
    await nobody.get('/v1/pipeline/kill/x', { authorization: `Bearer ${secret}x`, identity: 'dora', 'identity-signature': secret })
    await nobody.get('/vault/info/refs?service=git-upload-pack', { authorization: `Basic ${btoa(`dora:${secret}x`)}` })
  }
  await git(server.folder, ['ls-remote', gitUrl(server.url, 'vault', { name: 'dora', password: `${password}x` })])
  expect(answers.length).toBeGreaterThan(before + 20)
  expect(answers.slice(before).flatMap(({ what, text }) => showing(canaries, what, text))).toEqual([])
})

test('the server has written none into its log', async () => {
  const { out, log } = server.said()
  expect(out).toContain('Capstan listens on')
  expect(showing([...canaries, written], 'the log of the server', out + log)).toEqual([])
})

test('no file of the data folder holds one, while the server runs and after it has stopped', async () => {
  const search = () =>
    pathsBelow(server.data)
      .filter(({ isFile, path }) => isFile && existsSync(path))
      .flatMap(({ path }) => showing(canaries, path.slice(server.data.length), readFileSync(path, 'latin1')))
  expect(pathsBelow(server.data).some(({ path }) => path.endsWith('capstan.db'))).toBe(true)
  expect(search()).toEqual([])
  await server.stop()
  expect(search()).toEqual([])
  await server.start()
})
