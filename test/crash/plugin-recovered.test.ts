import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stepFolder } from '../../src/adapters/plugin-host/kept-folder.ts'
import { processesWith } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// The story: a step has called a plugin in command line mode when the server is killed. The plugin works on, and what it answers is what the step gives:
// nothing is called twice, and nothing fails for it.

let server: Server
const mark = randomBytes(8).toString('hex')
const secret = `hidden-${randomBytes(6).toString('hex')}`

// Tells its cache that it was called, then waits for the test. The process that waits carries the name of the call.
const entry = `#!/bin/sh
message=$(cat)
name=$(printf '%s' "$message" | sed -n 's/.*"name":"\\([^"]*\\)".*/\\1/p')
key=$(printf '%s' "$message" | sed -n 's/.*"key":"\\([^"]*\\)".*/\\1/p')
echo "$name" >>"/var/cache/calls-\${name%-*}"
MARK=${mark} NAME=$name sleep 600 >/dev/null 2>&1 &
echo "the key is $key" >&2
until [ -e "/var/cache/gate-$name" ]; do sleep 0.1; done
if [ -e "/var/cache/bad-$name" ]; then echo "not with $key" >&2; rm "/var/cache/bad-$name"; exit 1; fi
printf '{"version":"v1","type":"action_event","body":{"log":"","meta":{},"status":"ok","output":{"name":"%s"}}}' "$name"
`
const actions = `actions:
  act: { input: { name: { type: string, required: true } } }
  ask: { on_interrupt: repeat, input: { name: { type: string, required: true } } }
`

beforeAll(async () => {
  server = await startServer()
  await install('plain', actions)
  await install('safe', `connection:\n  key: { type: password, required: true }\n${actions}`)
  const about = { plugin_vendor: 'test', plugin_name: 'safe', plugin_version: '1.0.0' }
  for (const name of ['kept', 'changed']) await server.admin.ok('connection.create', { name, ...about, parameters: { key: secret } })
}, 60_000)
afterAll(() => server?.close())

async function install(name: string, more: string): Promise<void> {
  const folder = join(server.data, 'plugins', name)
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, `bin/icon_${name}`), entry, { mode: 0o755 })
  writeFileSync(join(folder, 'plugin.spec.yaml'), `name: ${name}\nvendor: test\nversion: 1.0.0\nenable_cache: true\n${more}`)
  await server.admin.ok('plugin.install', { path: name, mode: 'cold' })
}

type Step = { readonly plugin?: string; readonly action?: string; readonly parameters?: object; readonly name?: string; readonly message?: object }

/** A job whose step calls the plugin with this name; its id. */
async function start(name: string, { plugin = 'plain', action = 'act', parameters = {}, message = {}, ...more }: Step = {}): Promise<string> {
  const about = { plugin_vendor: 'test', plugin_name: plugin, plugin_version: '1.0.0', step_id: action }
  const steps = [
    { id: 'start', name: 'start', type: 'api_trigger', parent_id: '', parameters: {} },
    { id: 'act', name: 'act', type: 'action', parent_id: '', parameters: { ...about, input: { name: more.name ?? name }, ...parameters } },
  ]
  const document = { name, steps, paths: [{ id: 'p', from_step: 'start', to_step: 'act', name: '' }] }
  const { id } = await server.admin.ok('workflow.create', { document })
  await server.admin.ok('workflow.activate', { workflow: id })
  return (await server.admin.ok('workflow.run', { workflow: id, message })).id
}

const work = () => join(server.data, 'plugin-work')
const caches = () =>
  readdirSync(work())
    .filter((name) => name.startsWith('plugin-'))
    .map((name) => join(work(), name, 'cache'))
const lay = (name: string) => {
  for (const cache of caches()) writeFileSync(join(cache, name), '')
}
/** What the plugin was called with whose names begin like this. */
const made = (name: string) => caches().flatMap((cache) => linesOf(join(cache, `calls-${name}`)))
const runs = (name: string) => processesWith(`NAME=${name}`).length > 0
const called = (...names: string[]) => until(`${names.join(', ')} are called`, () => names.every(runs))
const steps = (job: string) => server.admin.ok('job.list-steps', { job }).then(({ items }) => items)
const ended = (job: string) =>
  until('the job has ended', async () => {
    const found = await server.admin.ok('job.get', { job })
    return found.ended_at === null ? null : found
  })
const ledgers = () => readdirSync(work()).filter((name) => name.startsWith('calls-'))
const kept = () => ledgers().flatMap((name) => readdirSync(join(work(), name)))

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
}

describe('a plugin that was called in command line mode when the server was killed', () => {
  const names = ['goes', 'ends', 'cancelled', 'ordered', 'late', 'killed', 'again', 'masked', 'lost'] as const
  const jobs = new Map<string, string>()
  const job = (name: string) => ended(jobs.get(name) ?? '')

  beforeAll(async () => {
    const at = async (name: string, step?: Step) => jobs.set(name, await start(name, step))
    for (const name of ['goes', 'cancelled', 'ordered', 'killed']) await at(name)
    // That it may be called twice is no reason to.
    await at('ends', { action: 'ask' })
    await called('goes', 'ends', 'cancelled', 'ordered', 'killed')
    await at('again', { action: 'ask' })
    await at('masked', { plugin: 'safe', parameters: { connection: { name: 'kept' } } })
    await at('late', { parameters: { timeout: 9 } })
    await called('again', 'masked', 'late')
    await server.admin.ok('job.cancel', { job: jobs.get('ordered') })
    await server.kill()
    expect(runs('goes')).toBe(true)
    for (const name of ['killed', 'again']) for (const pid of supervisorsOf(name)) process.kill(pid, 'SIGKILL')
    lay('gate-ends')
    lay('gate-again')
    await until('it has ended', () => !runs('ends'))
    await until('the time of another is over', async () => Date.now() > began('late') + 9_500)
    expect(runs('late')).toBe(true)
    await server.start()
  }, 120_000)

  test('works on, and gives its step what it answers', async () => {
    expect((await server.admin.ok('job.get', { job: jobs.get('goes') })).status).toBe('running')
    lay('gate-goes')
    expect(await job('goes')).toMatchObject({ status: 'succeeded', context: { data: { act: { name: 'goes' } } } })
    expect(made('goes')).toEqual(['goes'])
  })

  test('has answered when it ended while there was no server', async () => {
    expect(await job('ends')).toMatchObject({ status: 'succeeded', context: { data: { act: { name: 'ends' } } } })
    expect(made('ends')).toEqual(['ends'])
  })

  test('is ended with its job, whether that was cancelled before or after', async () => {
    expect(runs('cancelled')).toBe(true)
    await server.admin.ok('job.cancel', { job: jobs.get('cancelled') })
    for (const name of ['ordered', 'cancelled']) {
      expect((await job(name)).status).toBe('cancelled')
      await until('it is gone', () => !runs(name))
      expect(made(name)).toEqual([name])
    }
  })

  test('has its time counted from its first start', async () => {
    expect(await job('late')).toMatchObject({ status: 'failed', failed_step: { message: 'plugin timed out after 9 seconds' } })
    await until('it is gone', () => !runs('late'))
  })

  test('that is gone fails its step with the reason, or is called again where that may be', async () => {
    expect(await job('killed')).toMatchObject({ status: 'failed', failed_step: { message: expect.stringContaining('interrupted by a restart') } })
    expect(made('killed')).toEqual(['killed'])
    expect(await job('again')).toMatchObject({ status: 'succeeded', context: { data: { act: { name: 'again' } } } })
    expect(made('again')).toEqual(['again', 'again'])
  })

  test('shows no secret of its connection in what it said', async () => {
    lay('gate-masked')
    expect((await job('masked')).status).toBe('succeeded')
    const [act] = (await steps(jobs.get('masked') ?? '')).filter(({ name }: { name: string }) => name === 'act')
    expect(act.log).toContain('the key is ')
    expect(JSON.stringify(act)).not.toContain(secret)
  })

  test('leaves nothing behind', async () => {
    for (const name of names) await until(`${name} is gone`, () => !runs(name))
    await until('nothing is kept', () => kept().length === 0)
  })
})

test('a step with several elements goes on at the one that it had reached, and one with retries at the attempt', async () => {
  const each = { name: 'each-{{[$item]}}', parameters: { repeatVariable: '{{[start].[list]}}' }, message: { list: ['a', 'b', 'c', 'd'] } }
  lay('gate-each-a')
  lay('gate-tries')
  lay('bad-tries')
  const elements = await start('each', each)
  const tries = await start('tries', { parameters: { retry: { count: 3, delay: 1 } } })
  await called('each-b')
  await until('the first try has failed', () => made('tries').length === 1 && !runs('tries'))
  await server.kill()
  lay('gate-each-b')
  await server.start()
  await called('each-c')
  await server.kill()
  lay('gate-each-c')
  lay('gate-each-d')
  await server.start()
  const { status, context } = await ended(elements)
  expect(status).toBe('succeeded')
  expect(context.data.act.$outputs).toEqual(['a', 'b', 'c', 'd'].map((item) => ({ name: `each-${item}` })))
  expect(made('each')).toEqual(['each-a', 'each-b', 'each-c', 'each-d'])
  expect((await ended(tries)).status).toBe('succeeded')
  expect(made('tries')).toEqual(['tries', 'tries'])
  await until('nothing is kept', () => kept().length === 0)
}, 60_000)

test('a plugin that was called when the server was asked to stop works on as well', async () => {
  const job = await start('stopped')
  await called('stopped')
  expect(await server.stop()).toBe(0)
  expect(runs('stopped')).toBe(true)
  lay('gate-stopped')
  await server.start()
  expect(await ended(job)).toMatchObject({ status: 'succeeded', context: { data: { act: { name: 'stopped' } } } })
  expect(made('stopped')).toEqual(['stopped'])
}, 60_000)

test('what a plugin said whose connection was changed meanwhile is not shown: nobody knows the secret any more that it may hold', async () => {
  const job = await start('changed', { plugin: 'safe', parameters: { connection: { name: 'changed' } } })
  await called('changed')
  await server.admin.ok('connection.update', { connection: 'changed', parameters: { key: 'another secret' } })
  await server.kill()
  await server.start()
  lay('gate-changed')
  expect((await ended(job)).status).toBe('succeeded')
  const text = JSON.stringify(await steps(job))
  expect(text).toContain('was changed')
  expect(text).not.toContain(secret)
}, 60_000)

test('after a restart of the machine nothing that was called before is looked for: its step fails with the reason, or is done again', async () => {
  const jobs = [await start('boot', { name: 'boot-one' }), await start('boot2', { name: 'boot2-two', parameters: { on_interrupt: 'repeat' } })]
  await called('boot-one', 'boot2-two')
  await server.kill()
  for (const name of ['boot-one', 'boot2-two']) for (const pid of supervisorsOf(name)) process.kill(pid, 'SIGKILL')
  for (const ledger of ledgers()) renameSync(join(work(), ledger), join(work(), `${ledger.slice(0, -16)}0123456789abcdef`))
  lay('gate-boot2-two')
  await server.start()
  expect(await ended(jobs[0] ?? '')).toMatchObject({
    status: 'failed',
    failed_step: { message: expect.stringContaining('interrupted by a restart') },
  })
  expect((await ended(jobs[1] ?? '')).status).toBe('succeeded')
  expect([made('boot'), made('boot2')]).toEqual([['boot-one'], ['boot2-two', 'boot2-two']])
  await until('nothing is kept', () => kept().length === 0)
}, 60_000)

test('a plugin whose step has ended, while nobody had let go of it yet, is ended by the next server', async () => {
  lay('gate-over')
  const over = await start('over')
  await ended(over)
  await until('nothing is kept', () => kept().length === 0)
  const left = await start('left')
  await called('left')
  await server.kill()
  // As it is found when the server is killed between the two: what runs is of a step whose end is stored.
  const [ledger = ''] = ledgers()
  const path = join(work(), ledger, kept()[0] ?? '')
  const about = JSON.parse(readFileSync(join(path, 'step.json'), 'utf8'))
  expect(about.run).toBe(left)
  writeFileSync(join(path, 'step.json'), JSON.stringify({ ...about, run: over }))
  renameSync(path, stepFolder(work(), { ...about, run: over }))
  expect(runs('left')).toBe(true)
  await server.start()
  await until('it is ended', () => !runs('left'))
  await until('nothing is kept', () => kept().length === 0)
  expect(await ended(left)).toMatchObject({ status: 'failed', failed_step: { message: expect.stringContaining('interrupted by a restart') } })
}, 60_000)

/** All processes of a call, by the mark of the supervisor that is above its own. */
function supervisorsOf(name: string): number[] {
  const [pid = 0] = processesWith(`NAME=${name}`)
  const above = ancestorsOf(pid)
  const token = above.map((one) => /CAPSTAN_SUPERVISOR=[0-9a-f]+/.exec(environmentOf(one))?.[0]).find(Boolean)
  return token ? processesWith(token) : []
}

function ancestorsOf(pid: number): number[] {
  const found: number[] = []
  for (let at = pid; at > 1; at = Number(/^PPid:\t(\d+)/m.exec(readFileSync(`/proc/${at}/status`, 'utf8'))?.[1])) found.push(at)
  return found
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}

/** When the process that a call waits with was begun. */
function began(name: string): number {
  const [pid = 0] = processesWith(`NAME=${name}`)
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const ticks = Number(stat.slice(stat.lastIndexOf(') ') + 2).split(' ')[19])
  const boot = Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1])
  return (boot + ticks / 100) * 1000
}
