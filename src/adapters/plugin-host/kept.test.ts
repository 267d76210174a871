import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { LetGo } from '../../core/kernel/let-go.ts'
import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { readWork } from '../runtime/process/folder.ts'
import { callFolder, folderAt, makeCallFolder } from './kept-folder.ts'
import { openLab, shell } from './plugin-lab.suite.ts'
import type { AddressInfo } from 'node:net'
import type { InstalledPlugin, PluginCall } from '../../ports/plugin-host.ts'
import type { Mechanism } from '../runtime/process/sandbox.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

const step = { run: 'run', step: 'step' }
const keyOf = (call: string) => ({ ...step, call })
const mechanisms = ['bubblewrap', 'namespaces', 'none'] as const
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Answers with how often it was called; `gate` in its cache, made by the test, lets it end. */
function counting(mark: string, cache: string): string {
  return shell(`cache=${cache}
MARK=${mark} sleep 600 >/dev/null 2>&1 &
call=$(printf '%s' "$message" | sed -n 's/.*"call":"\\([^"]*\\)".*/\\1/p')
echo "$call" >>"$cache/calls"
echo "a word on standard error of $call" >&2
until [ -e "$cache/gate-$call" ]; do sleep 0.05; done
printf '{"version":"v1","type":"action_event","body":{"log":"","meta":{},"status":"ok","output":{"call":"%s"}}}' "$call"`)
}

/** A folder in which one host after the other works, and a plugin in it that counts its calls. */
async function openStory(mechanism: Mechanism, options: { entry?: (mark: string, cache: string) => string; allow?: string } = {}) {
  const home = mkdtempSync('/var/tmp/capstan-kept-')
  const mark = randomBytes(8).toString('hex')
  closing.push(() => {
    for (const token of tokensIn(join(home, 'data', 'plugin-work')))
      for (const name of ['SUPERVISOR', 'WORK']) for (const pid of processesWith(`CAPSTAN_${name}=${token}`)) process.kill(pid, 'SIGKILL')
    rmSync(home, { recursive: true, force: true })
  })
  const given = { home, mechanisms: [mechanism], unsandboxed: mechanism === 'none', allow: options.allow ? [options.allow] : [] }
  const first = await openLab({ ...given, limits: { graceMs: 300 } })
  const plugin: InstalledPlugin = { ...first.script('counts', shell(':')), cache: true }
  // The cache of a plugin is made with its first call.
  await first.act(plugin)
  const work = join(home, 'data', 'plugin-work')
  const cache = join(work, readdirSync(work).find((name) => name.startsWith('plugin-')) ?? '', 'cache')
  first.script('counts', (options.entry ?? counting)(mark, mechanism === 'none' ? cache : '/var/cache'))
  await first.host.close()
  const open = async (more: Parameters<typeof openLab>[0] = {}): Promise<PluginLab> => {
    const lab = await openLab({ ...given, limits: { graceMs: 300 }, ...more })
    closing.push(() => lab.host.close())
    return lab
  }
  const server = (calls: string) => {
    const args = [join(import.meta.dirname, 'kept-server.suite.ts'), home, mechanism, 'counts', calls, options.allow ?? '']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk) => (said += chunk))
    const gone = new Promise((resolve) => child.once('exit', resolve))
    const kill = async () => {
      child.kill('SIGKILL')
      await gone
    }
    closing.push(kill)
    return { kill, said: () => said }
  }
  const made = () => (existsSync(join(cache, 'calls')) ? readFileSync(join(cache, 'calls'), 'utf8').split('\n').filter(Boolean) : [])
  const letEnd = (call: string) => writeFileSync(join(cache, `gate-${call}`), '')
  const ask = (lab: PluginLab, call: string, change: Partial<PluginCall> = {}, signal?: AbortSignal) =>
    lab.act(plugin, { key: keyOf(call), input: { call }, timeoutMs: 600_000, ...change }, signal)
  /** Makes as if the time of all calls were over. */
  const passTime = () => {
    for (const path of pathsIn(work, 'call.json'))
      writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), deadline: Date.now() - 1 }))
  }
  const running = () => processesWith(`MARK=${mark}`).length
  return { home, work, cache, plugin, open, server, made, letEnd, ask, passTime, running, mark }
}

describe.each(mechanisms)('a call with a key, kept apart by %s', (mechanism) => {
  test('runs on when its server is killed, and is answered to who asks again', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a')
    await until('it is called', () => story.made().length === 1)
    await server.kill()
    expect(story.running()).toBeGreaterThan(0)
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(true)
    const answer = story.ask(lab, 'a')
    story.letEnd('a')
    expect(await answer).toMatchObject({ status: 'ok', output: { call: 'a' }, log: 'a word on standard error of a\n' })
    expect(story.made()).toEqual(['a'])
    // Asked once more, as after a kill before its end was recorded.
    expect((await story.ask(lab, 'a')).output).toEqual({ call: 'a' })
    expect(story.made()).toEqual(['a'])
    expect(await lab.host.kept()).toEqual([step])
    await lab.host.release(step)
    expect(await lab.host.kept()).toEqual([])
    expect(await lab.host.recovers(step)).toBe(false)
    expect((await story.ask(lab, 'a')).output).toEqual({ call: 'a' })
    expect(story.made()).toEqual(['a', 'a'])
  })

  test('that ended while there was no server has answered, and one that waited for its turn was not made', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a,b,c')
    await until('two are called, and one waits', () => story.made().length === 2)
    await server.kill()
    const [one = '', two = ''] = story.made()
    const third = ['a', 'b', 'c'].find((call) => call !== one && call !== two) ?? ''
    for (const call of ['a', 'b', 'c']) story.letEnd(call)
    await until('both have ended', () => filesOf(story.work, 'exit').filter((text) => text !== '').length === 2)
    story.passTime()
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(true)
    for (const call of [one, two, third]) expect((await story.ask(lab, call)).output).toEqual({ call })
    expect(story.made()).toEqual([one, two, third])
  })

  test('was not begun when its server was killed before its supervisor had all of the message', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a')
    await until('it is called', () => story.made().length === 1)
    await server.kill()
    // As it is found then: all is written but what the supervisor writes when it begins.
    const folder = makeCallFolder(story.work, keyOf('b'))
    const work = { ...readWork(folderAt(callFolder(story.work, keyOf('a')))), token: randomBytes(16).toString('hex') }
    writeFileSync(join(folder.path, 'work.json'), JSON.stringify(work))
    cpSync(join(callFolder(story.work, keyOf('a')), 'call.json'), join(folder.path, 'call.json'))
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(true)
    for (const call of ['a', 'b']) story.letEnd(call)
    expect(await Promise.all(['a', 'b'].map(async (call) => (await story.ask(lab, call)).output))).toEqual([{ call: 'a' }, { call: 'b' }])
    expect(story.made()).toEqual(['a', 'b'])
  })

  test('is ended by who calls it off after a restart, with all that it has started', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a')
    await until('it is called', () => story.running() > 0)
    await server.kill()
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(true)
    const abort = new AbortController()
    const answer = story.ask(lab, 'a', {}, abort.signal)
    abort.abort(new Error('no more'))
    await expect(answer).rejects.toThrow('no more')
    expect(story.running()).toBe(0)
  })

  test('has its time counted from its first start', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a')
    await until('it is called', () => story.running() > 0)
    await server.kill()
    story.passTime()
    expect(story.running()).toBeGreaterThan(0)
    const lab = await story.open()
    const from = performance.now()
    expect(await story.ask(lab, 'a')).toMatchObject({ status: 'error', error: 'plugin timed out after 600 seconds' })
    expect(performance.now() - from).toBeLessThan(5_000)
    expect(story.running()).toBe(0)
    expect(story.made()).toEqual(['a'])
  })

  test('whose processes were killed without a server is gone, and what is left of it is ended', async () => {
    const story = await openStory(mechanism)
    const server = story.server('a,b')
    await until('both are called', () => story.made().length === 2)
    await server.kill()
    story.letEnd('b')
    for (const pid of startedIn(story.work)) process.kill(pid, 'SIGKILL')
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(false)
    await lab.host.release(step)
    await until('nothing is left', () => story.running() === 0)
    expect(await lab.host.kept()).toEqual([])
  })

  test('goes on when its server lets go of it or stops, and is ended when nobody wants its answer any more', async () => {
    const story = await openStory(mechanism)
    const first = await story.open()
    const abort = new AbortController()
    const letGo = story.ask(first, 'a', {}, abort.signal)
    const stopped = story.ask(first, 'b').catch((error: unknown) => error)
    await until('both are called', () => story.made().length === 2)
    abort.abort(new LetGo('another server goes on'))
    await expect(letGo).rejects.toBeInstanceOf(LetGo)
    await first.host.close()
    expect(await stopped).toBeInstanceOf(PluginInterrupted)
    expect(story.running()).toBeGreaterThan(0)
    const next = await story.open()
    expect(await next.host.recovers(step)).toBe(true)
    story.letEnd('a')
    expect((await story.ask(next, 'a')).output).toEqual({ call: 'a' })
    expect(story.running()).toBeGreaterThan(0)
    await next.host.release(step)
    expect(story.running()).toBe(0)
    expect(story.made().sort()).toEqual(['a', 'b'])
  })

  test('reaches the world by the same way after a restart', async () => {
    const server = createServer((_, answer) => answer.end('the world'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => server.close())
    const { port } = server.address() as AddressInfo
    const entry = (mark: string, cache: string) => `#!/usr/bin/env node
const { existsSync, appendFileSync } = require('node:fs')
const { request } = require('node:http')
const cache = ${JSON.stringify(cache)}
appendFileSync(cache + '/calls', 'a\\n')
const proxy = new URL(process.env.HTTP_PROXY)
const headers = { 'proxy-authorization': 'Basic ' + Buffer.from(proxy.username + ':' + proxy.password).toString('base64'), mark: '${mark}' }
const ask = () => new Promise((resolve) => {
  const asked = request({ host: proxy.hostname, port: proxy.port, path: 'http://127.0.0.1:${port}/', headers, agent: false }, (answer) => {
    let text = ''
    answer.on('data', (chunk) => (text += chunk)).on('end', () => resolve(text))
  })
  asked.on('error', (error) => resolve(String(error.code)))
  asked.end()
})
const wait = async () => { while (!existsSync(cache + '/gate-a')) await new Promise((resolve) => setTimeout(resolve, 20)) }
ask().then(async (before) => {
  appendFileSync(cache + '/asked', '.')
  await wait()
  const after = await ask()
  process.stdout.write(JSON.stringify({ version: 'v1', type: 'action_event', body: { log: '', meta: {}, status: 'ok', output: { before, after } } }))
})
`
    const story = await openStory(mechanism, { entry, allow: '127.0.0.1/32' })
    const killed = story.server('a')
    await until('it has asked', () => existsSync(join(story.cache, 'asked')))
    await killed.kill()
    const lab = await story.open()
    expect(await lab.host.recovers(step)).toBe(true)
    story.letEnd('a')
    expect((await story.ask(lab, 'a')).output).toEqual({ before: 'the world', after: 'the world' })
  })
})

test('a call with a key is bounded in what it says and in its time, and leaves nothing of what it wrote for itself', async () => {
  const story = await openStory('bubblewrap', { entry: (mark) => shell(`echo "$message" | grep -q late && MARK=${mark} sleep 600; yes >&2`) })
  const lab = await story.open({ limits: { graceMs: 300, outputBytes: 200_000 } })
  expect(await story.ask(lab, 'floods')).toMatchObject({ status: 'error', error: expect.stringContaining('said more than') })
  const folder = callFolder(story.work, keyOf('floods'))
  expect(statSync(join(folder, 'err')).size).toBeLessThan(201_000)
  expect(statSync(join(folder, 'err')).mode & 0o777).toBe(0o600)
  expect(existsSync(join(folder, 'task'))).toBe(false)
  expect(await story.ask(lab, 'late', { timeoutMs: 1_000 })).toMatchObject({ status: 'error', error: 'plugin timed out after 1 seconds' })
  expect(story.running()).toBe(0)
  await lab.host.release(step)
})

test('the message of a call with a key is nowhere on the disk', async () => {
  const story = await openStory('bubblewrap')
  const secret = randomBytes(12).toString('hex')
  const lab = await story.open()
  const answer = story.ask(lab, 'a', { connection: { key: 'k', parameters: { password: secret, more: 'ä\u0081\ud83d\ude00'.repeat(100_000) } } })
  await until('it is called', () => story.made().length === 1)
  const texts = readdirSync(story.work, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.includes('/calls-'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
  expect(texts.length).toBeGreaterThan(4)
  expect(texts.filter((text) => text.includes(secret))).toEqual([])
  story.letEnd('a')
  expect((await answer).status).toBe('ok')
  await lab.host.release(step)
})

test('a plugin that has put something else where its way out was has none after a restart, and answers all the same', async () => {
  const entry = (mark: string, cache: string) =>
    counting(mark, cache).replace('echo "$call" >>', `rm /home/task/proxy.sock && mkdir /home/task/proxy.sock\necho "$call" >>`)
  const story = await openStory('bubblewrap', { entry })
  const server = story.server('a')
  await until('it is called', () => story.made().length === 1)
  await server.kill()
  expect(statSync(join(callFolder(story.work, keyOf('a')), 'task/home/proxy.sock')).isDirectory()).toBe(true)
  const lab = await story.open()
  expect(await lab.host.recovers(step)).toBe(true)
  story.letEnd('a')
  expect((await story.ask(lab, 'a')).output).toEqual({ call: 'a' })
  await lab.host.release(step)
})

/** The supervisors of the calls in a folder of work. */
function startedIn(work: string): number[] {
  return filesOf(work, 'started').map((text) => Number.parseInt(text, 10))
}

/** What all processes of the calls in a folder of work carry in their environment. */
function tokensIn(work: string): string[] {
  return filesOf(work, 'work.json').map((text) => (JSON.parse(text) as { token: string }).token)
}

function filesOf(work: string, name: string): string[] {
  return pathsIn(work, name).map((path) => readFileSync(path, 'utf8'))
}

function pathsIn(work: string, name: string): string[] {
  return readdirSync(work, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.startsWith('calls-') && path.endsWith(`/${name}`))
    .map((path) => join(work, path))
}
