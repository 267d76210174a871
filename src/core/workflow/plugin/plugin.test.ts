import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { until } from '../../../../test/support/until.ts'
import { documentOf, trigger } from '../job/workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'

let app: TestApp
let ann: Person
let root: string
beforeAll(async () => {
  app = await openApp()
  ann = await app.person('ann')
  root = join(app.folder, 'data/plugins')
  for (const name of ['units', 'host_facts'])
    cpSync(join(import.meta.dirname, '../../../../examples/plugins', name), join(root, name), { recursive: true })
  lay(
    'keeper',
    keeper,
    `enable_cache: true\nconnection:\n  key: { type: password, required: true }\n  host: { type: string, required: true }\n${actions}`,
  )
})
afterAll(() => app.close())

const actions = `actions:
  show:
    title: Show
    input:
      text: { type: string, required: true }
      times: { type: integer, default: 2 }
      loud: { type: boolean }
    output:
      key: { type: string }
`

// It shows the secret of its connection in every way that a careless plugin may.
const keeper = `#!/usr/bin/env node
let text = ''
process.stdin.on('data', (chunk) => (text += chunk)).on('end', () => {
  const { body } = JSON.parse(text)
  const key = body.connection.key
  const bytes = Buffer.from(key)
  const forms = [key, bytes.toString('base64'), bytes.toString('base64url'), encodeURIComponent(key), bytes.toString('hex'), JSON.stringify(key).slice(1, -1)]
  process.stderr.write('on standard error: ' + forms.join(' ') + '\\n')
  const log = 'in the log: ' + forms.join(' ') + '\\n'
  const common = { log, meta: body.meta }
  const fails = body.input.text === 'fail' || (process.argv[2] === 'test' && body.connection.host === 'nowhere')
  const result = fails
    ? { status: 'error', error: 'refused ' + key, exception: { cause: 'the key ' + key, assistance: 'another than ' + forms[1], data: { [key]: [key] } } }
    : { status: 'ok', output: process.argv[2] === 'test' ? null : { key, input: body.input } }
  process.stdout.write(JSON.stringify({ version: 'v1', type: 'action_event', body: { ...common, ...result } }))
})
if (process.argv[2] === 'http') process.exit(2)
`
const secretKey = 'pa$$ "word" +/='

function lay(name: string, entry: string, spec = ''): void {
  mkdirSync(join(root, name, 'bin'), { recursive: true })
  writeFileSync(join(root, name, 'bin', `icon_${name}`), entry, { mode: 0o755 })
  writeFileSync(join(root, name, 'plugin.spec.yaml'), `name: ${name}\nvendor: test\nversion: 1.0.0\n${spec}`)
}

const refusal = async (work: Promise<unknown>) =>
  (await work.then(
    () => ({ code: 'none' }),
    (error: unknown) => error,
  )) as { code: string; message: string } // faults are

function step(plugin: string, action: string, input: JsonObject, more: JsonObject = {}): JsonObject {
  const [vendor, name, version] = plugin.split('/')
  const about = { plugin_vendor: vendor ?? '', plugin_name: name ?? '', plugin_version: version ?? '', step_id: action }
  return { id: 'act', type: 'action', parameters: { ...about, input, ...more } }
}

async function job(name: string, act: JsonObject) {
  const { id } = await app.system('workflow.create', { document: documentOf({ name, steps: [trigger, act], paths: ['start>act', 'act>'] }) })
  await app.system('workflow.activate', { workflow: id })
  const { id: run } = await app.system('workflow.run', { workflow: id, message: {} })
  await until('the job has ended', async () => (await app.system('job.get', { job: run })).ended_at !== null)
  const [steps, whole] = [await app.system('job.list-steps', { job: run }), await app.system('job.get', { job: run })]
  return { workflow: id as string, steps: steps.items as { step: string; log?: string }[], job: whole, text: JSON.stringify([steps, whole]) }
}

describe('installing a plugin', () => {
  test('from a folder gives it with the schemas of its actions and triggers, and everybody may see it', async () => {
    const made = await app.system('plugin.install', { path: 'units' })
    expect(made).toMatchObject({
      name: 'example/units/1.0.0',
      serial: expect.any(Number),
      runtime: 'process',
      mode: 'warm',
      status: 'installed',
      connection: null,
    })
    expect(made.actions[0]).toMatchObject({ step_id: 'convert', title: 'Convert', input: { required: ['value', 'from'] } })
    expect(made.triggers[0]).toMatchObject({ step_id: 'count' })
    expect((await ann.call('plugin.get', { plugin: 'example/units/1.0.0' })).json).toEqual(made)
    expect((await ann.call('plugin.list', { serial: made.serial })).json.items).toEqual([made])
  })

  test('lists those that are part of the server as well', async () => {
    const { items } = (await ann.call('plugin.list', {})).json
    expect(items.find((item: { plugin: string }) => item.plugin === 'hash')).toMatchObject({
      id: null,
      serial: null,
      runtime: 'builtin',
      status: 'builtin',
    })
    const { name } = items[0]
    expect((await ann.call('plugin.get', { plugin: name })).json).toEqual(items[0])
    expect((await refusal(app.system('plugin.delete', { plugin: name }))).code).toBe('state_conflict')
  })

  test('a second time is refused, and what the first one has stays', async () => {
    expect((await refusal(app.system('plugin.install', { path: 'units' }))).code).toBe('name_taken')
    expect(await app.system('plugin.get', { plugin: 'example/units/1.0.0' })).toMatchObject({ plugin: 'units' })
    lay('shadow', '#!/bin/sh\n')
    writeFileSync(join(root, 'shadow/plugin.spec.yaml'), 'name: hash\nvendor: capstan\nversion: 9.0.0\n')
    expect((await refusal(app.system('plugin.install', { path: 'shadow' }))).code).toBe('name_taken')
  })

  test.each([
    ['outside', { path: '../keys' }],
    ['absolute elsewhere', { path: '/etc' }],
    ['a link that leads out', { path: 'out' }],
    ['nowhere', { path: 'nothing' }],
    ['no spec', { path: 'empty' }],
    ['no entry point', { path: 'no_entry' }],
    ['a spec that is none', { path: 'no_spec' }],
    ['two origins', { path: 'units', image: 'a/b:1' }],
    ['none', {}],
    ['an image without a spec', { image: 'a/b:1' }],
    ['an image without an engine', { image: 'a/b:1', spec: 'name: b\nvendor: a\nversion: 1.0.0\n' }],
    ['another spec than that of the package', { path: 'host_facts', spec: 'name: b\nvendor: a\nversion: 1.0.0\n' }],
  ])('is refused: %s', async (_, input) => {
    if (!existsSync(join(root, 'out'))) symlinkSync('/etc', join(root, 'out'))
    mkdirSync(join(root, 'empty'), { recursive: true })
    lay('no_entry', '')
    writeFileSync(join(root, 'no_entry/bin/icon_second'), '')
    lay('no_spec', '#!/bin/sh\n', 'a: [\n')
    expect((await refusal(app.system('plugin.install', input))).code).toBe('malformed_request')
  })

  test('from an archive lays it below the root, all of it or nothing', async () => {
    const packed = (...args: string[]) => execFileSync('tar', ['-C', join(app.folder, 'pack'), '-czf', '-', ...args]).toString('base64')
    lay('packed', '#!/bin/sh\n', actions)
    cpSync(join(root, 'packed'), join(app.folder, 'pack/packed'), { recursive: true })
    const before = readdirSync(root)
    const made = await app.system('plugin.install', { archive: packed('packed') })
    expect(made.name).toBe('test/packed/1.0.0')
    const [folder = ''] = readdirSync(root).filter((name) => !before.includes(name))
    expect(readFileSync(join(root, folder, 'bin/icon_packed'), 'utf8')).toBe('#!/bin/sh\n')
    await app.system('plugin.delete', { plugin: made.name })
    expect(readdirSync(root)).toEqual(before)
    const zipped = execFileSync('python3', [
      '-c',
      'import shutil,sys;print(shutil.make_archive(*sys.argv[1:]))',
      join(app.folder, 'zipped'),
      'zip',
      join(app.folder, 'pack'),
    ])
    const again = await app.system('plugin.install', { archive: readFileSync(String(zipped).trim()).toString('base64') })
    expect(again.name).toBe(made.name)
    await app.system('plugin.delete', { plugin: again.name })
    expect(readdirSync(root)).toEqual(before)

    symlinkSync('/etc/passwd', join(app.folder, 'pack/packed/link'))
    writeFileSync(join(app.folder, 'pack/other'), 'x')
    const escaped = packed('packed/plugin.spec.yaml', 'other', '--transform=s,other,../../escaped,')
    for (const archive of [packed('packed'), escaped, packed('other'), Buffer.from('no archive').toString('base64'), 'UEsDBA==', ''])
      expect((await refusal(app.system('plugin.install', { archive }))).code).toBe('malformed_request')
    expect(readdirSync(root)).toEqual(before)
    expect(existsSync(join(app.folder, 'escaped'))).toBe(false)
  })

  test('is for who holds the permission', async () => {
    expect((await ann.call('plugin.install', { path: 'host_facts' })).json.error.code).toBe('forbidden')
  })
})

describe('a step that calls a plugin', () => {
  test('gives its output to the next one', async () => {
    const { job: done } = await job('converts', step('example/units/1.0.0', 'convert', { value: 2, from: 'km' }))
    // `to` is not sent: the default of the spec is.
    expect(done).toMatchObject({ status: 'succeeded', context: { data: { act: { value: 2000, text: '2 km is 2000 m', $success: true } } } })
  })

  test('fails with the words of the plugin', async () => {
    const { job: done, text } = await job('wrong', step('example/units/1.0.0', 'convert', { value: 'x', from: 'km' }))
    expect(done.status).toBe('failed')
    expect(text).toContain('The input is not a length.')
  })

  test('gets the parameters of its connection, and what is shown has their secrets masked in every form; the data does not', async () => {
    await app.system('plugin.install', { path: 'keeper' })
    const about = { plugin_vendor: 'test', plugin_name: 'keeper', plugin_version: '1.0.0' }
    await app.system('connection.create', { name: 'safe', ...about, parameters: { key: secretKey, host: 'h.test' } })
    const connection = { connection: { name: 'safe' } }
    const { steps } = await job('keeps', step('test/keeper/1.0.0', 'show', { text: `with ${secretKey} in it` }, connection))
    const act = JSON.stringify({ ...steps.find((one) => one.step === 'act'), output: null })
    for (const form of formsOf(secretKey)) expect(act).not.toContain(form)
    expect(act).toContain('in the log: *** ***')
    expect(act).toContain('on standard error: ***')
    expect(act).toContain('with *** in it')
    const failed = await job('fails', step('test/keeper/1.0.0', 'show', { text: 'fail' }, connection))
    for (const form of formsOf(secretKey)) expect(failed.text).not.toContain(form)
    expect(failed.text).toContain('refused ***')
    expect(failed.text).toContain('the key ***')
  })

  test('says what is missing', async () => {
    await app.system('connection.create', {
      name: 'other',
      plugin_vendor: 'test',
      plugin_name: 'keeper',
      plugin_version: '1.0.0',
      parameters: { key: 'a longer one', host: 'nowhere' },
    })
    expect(await app.system('connection.test', { connection: 'safe' })).toMatchObject({ success: true })
    const tested = await app.system('connection.test', { connection: 'other' })
    expect(tested).toMatchObject({ success: false, message: 'refused ***' })
    expect(tested.log).not.toContain('a longer one')
  })

  test('a plugin is not removed while an active workflow calls it', async () => {
    const { workflow } = await job('uses', step('example/units/1.0.0', 'convert', { value: 1, from: 'm' }))
    expect((await refusal(app.system('plugin.delete', { plugin: 'example/units/1.0.0' }))).code).toBe('in_use')
    for (const { id, status } of (await app.system('workflow.list', { limit: 1000 })).items)
      if (status === 'active') await app.system('workflow.deactivate', { workflow: id })
    await app.system('plugin.delete', { plugin: 'example/units/1.0.0' })
    expect((await refusal(app.system('plugin.get', { plugin: 'example/units/1.0.0' }))).code).toBe('not_found')
    expect((await refusal(app.system('workflow.activate', { workflow }))).code).not.toBe('none')
    expect(existsSync(join(root, 'units/plugin.spec.yaml'))).toBe(true)
  })
})

function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [
    secret,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    encodeURIComponent(secret),
    bytes.toString('hex'),
    JSON.stringify(secret).slice(1, -1),
  ]
}
