import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { labOperations, startLab } from '../api/http-lab.suite.ts'
import { run } from './run.ts'
import type { Lab } from '../api/http-lab.suite.ts'
import type { Seams } from './seams.ts'

let lab: Lab
let folder: string
beforeAll(async () => {
  lab = await startLab()
  folder = await mkdtemp(join(tmpdir(), 'cli-'))
})
afterAll(async () => {
  await lab.close()
  await rm(folder, { recursive: true })
})

type Ran = { status: number; out: string; err: string; asked: string[] }
type Around = { token?: string | null; stdin?: string; answers?: string[]; server?: string | null }

const seams: Seams = { app: () => Promise.reject(new Error('no command here needs the whole server')), operations: async () => labOperations }

async function capstan(line: readonly string[], around: Around = {}): Promise<Ran> {
  const ran: Ran = { status: -1, out: '', err: '', asked: [] }
  const answers = [...(around.answers ?? [])]
  ran.status = await run(line, seams, {
    terminal: {
      out: (text) => void (ran.out += text),
      err: (text) => void (ran.err += text),
      interactive: around.answers !== undefined,
      screen: null,
      interruptible: (work) => work(new AbortController().signal),
      browse: async () => false,
      async ask(question, { hidden = false } = {}) {
        ran.asked.push(`${question}${hidden ? '(hidden)' : ''}`)
        return answers.shift() ?? ''
      },
      readAll: async () => around.stdin ?? '',
    },
    environment: {
      credentialsFile: join(folder, 'config', 'credentials.json'),
      server: around.server === undefined ? lab.url : around.server,
      token: around.token === undefined ? 'token-of-ann' : around.token,
    },
  })
  return ran
}

describe('commands made from operations', () => {
  test('help lists every noun, and a noun its verbs, without a server', async () => {
    const all = await capstan(['--help'], { server: 'http://127.0.0.1:1' })
    expect(all.status).toBe(0)
    for (const word of ['serve', 'backup', 'restore', 'login', 'session', 'thing', 'run', 'Exit statuses']) expect(all.out).toContain(word)
    const thing = await capstan(['thing', '--help'])
    expect(thing.out).toMatch(/create[\s\S]*list/)
  })

  test('help of a verb has its arguments, options, choices and an example', async () => {
    const { out } = await capstan(['thing', 'create', '--help'])
    for (const part of ['[name]', 'How it is called.', '--state <ready|broken>', '--tags <text>', '--private', '--count <number>', '--spec <json>']) {
      expect(out).toContain(part)
    }
    expect(out).toContain(`capstan thing create first --tags a --tags 'b c' --no-private --spec '{"a":1}' --password`)
  })

  test('arguments, options, switches, lists and JSON become the input', async () => {
    const made = await capstan(['thing', 'create', 'one', '--tags', 'x', '--tags', 'y', '--no-private', '--count', '3', '--note', 'null', '--json'])
    expect(made.err).toBe('')
    expect(JSON.parse(made.out)).toEqual({ id: '1', name: 'one', state: 'ready', tags: ['x', 'y'], private: false })
  })

  test('a member with the name of a common option has another option', async () => {
    expect((await capstan(['thing', 'create', 'one', '--set-server', 'x'])).status).toBe(0)
  })

  test('the whole input can come as JSON, from a file or standard input, and single options win over it', async () => {
    const file = join(folder, 'input.json')
    await writeFile(file, '{"name":"from file","tags":["f"]}')
    const made = async (line: string[], stdin = '') => JSON.parse((await capstan(['thing', 'create', ...line, '--json'], { stdin })).out).name
    expect(await made(['--input', `@${file}`])).toBe('from file')
    expect(await made(['--input', '-'], '{"name":"piped"}')).toBe('piped')
    expect(await made(['typed', '--input', `@${file}`])).toBe('typed')
  })

  test('wrong use is status 2 and says what is wanted', async () => {
    const wrong = async (...line: string[]) => {
      const { status, err } = await capstan(line)
      expect(status, line.join(' ')).toBe(2)
      return err
    }
    expect(await wrong('thing', 'frobnicate')).toContain('frobnicate')
    expect(await wrong('frobnicate')).toContain('frobnicate')
    expect(await wrong('thing', 'create')).toContain('<name>')
    expect(await wrong('thing', 'create', 'a', '--count', 'three')).toContain('whole number')
    expect(await wrong('thing', 'create', 'a', '--state', 'lost')).toContain('ready, broken')
    expect(await wrong('thing', 'create', 'a', '--spec', '{')).toContain('JSON')
    expect(await wrong('thing', 'create', 'a', '--no-such-option')).toContain('--no-such-option')
    expect(await wrong()).toBe('')
  })
})

describe('secrets', () => {
  test('a secret is never taken from the command line', async () => {
    const { status, err } = await capstan(['thing', 'create', 'a', '--password', 'hunter2'])
    expect(status).toBe(2)
    expect(err).toContain('--password -')
    expect(err).not.toContain('hunter2')
  })

  test('nor out of --input as it stands there; piped in or in a file it is taken', async () => {
    const shown = await capstan(['thing', 'create', 'a', '--input', '{"password":"hunter2"}'])
    expect([shown.status, shown.err.includes('"--input -"'), shown.err.includes('hunter2')]).toEqual([2, true, false])
    expect((await capstan(['thing', 'create', 'a', '--input', '-'], { stdin: '{"password":"hunter2"}' })).status).toBe(0)
    expect((await capstan(['thing', 'create', '--input', '{"name":"a"}'])).status).toBe(0)
  })

  test('it is asked for without showing it, or read from standard input', async () => {
    expect((await capstan(['thing', 'create', 'a', '--password'], { answers: ['x'] })).asked).toEqual(['password: (hidden)'])
    expect((await capstan(['thing', 'create', 'a', '--password', '-'], { stdin: 'x\n' })).status).toBe(0)
    expect((await capstan(['session', 'create', 'ann'], { answers: ['right'] })).status).toBe(0)
    expect((await capstan(['session', 'create', 'ann'])).err).toContain('--password -')
  })
})

describe('what is printed', () => {
  test('a list is a table with the columns that tell most, and says that there is more', async () => {
    const { out } = await capstan(['thing', 'list'])
    expect(out.split('\n')[0]).toMatch(/^NAME +STATE +PRIVATE +ID$/)
    expect(out).toContain('There is more: --cursor more')
  })

  test('nothing that a server sends can obey the terminal', async () => {
    expect((await capstan(['thing', 'list'])).out).not.toContain('\u001b')
    expect((await capstan(['thing', 'list', '--json'])).out).not.toContain('\u001b')
  })
})

describe('failures', () => {
  test.each([
    [['thing', 'create', 'a'], 3, null, 'capstan login'],
    [['thing', 'list'], 3, 'wrong', 'Sign in again'],
    [['thing', 'refuse'], 4, undefined, 'administrator'],
    [['thing', 'break'], 1, undefined, 'not with you'],
    [['thing', 'break', '--code', 'overloaded'], 7, undefined, 'Try again in 3 s'],
    [['thing', 'create', ''], 2, undefined, 'problem'],
  ] as const)('%j ends with status %i', async (line, status, token, words) => {
    const ran = await capstan(line, token === undefined ? {} : { token })
    expect(ran.status).toBe(status)
    expect(ran.err).toContain(words)
    expect(ran.out).toBe('')
  })

  test('with --json the error is on standard output as well', async () => {
    const { out } = await capstan(['thing', 'refuse', '--json'])
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'forbidden' } })
  })

  test('a server that is not there is named, with what to do', async () => {
    const { status, err } = await capstan(['thing', 'list', '--server', 'http://127.0.0.1:1'])
    expect(status).toBe(1)
    expect(err).toMatch(/127\.0\.0\.1:1.*npm start/)
  })

  test('an address that is none is refused before anything is sent', async () => {
    for (const url of ['ftp://x', 'nonsense', 'http://user@x']) expect((await capstan(['thing', 'list', '--server', url])).status).toBe(2)
  })
})

describe('capstan login', () => {
  const file = () => join(folder, 'config', 'credentials.json')
  beforeEach(() => rm(join(folder, 'config'), { recursive: true, force: true }))
  const unset = { token: null, server: null }

  test('it keeps the token where only its owner can read it, and commands use it from then on', async () => {
    const { status, asked } = await capstan(['login', lab.url], { ...unset, answers: ['ann', 'right'] })
    expect([status, asked]).toEqual([0, ['Name or e-mail address: ', 'Password: (hidden)']])
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect(JSON.parse((await capstan(['caller', 'get', '--json'], unset)).out).name).toBe('ann')
  })

  test('without a terminal the password is read from standard input, and so is a token', async () => {
    expect((await capstan(['login', lab.url, '--user', 'ann'], { ...unset, stdin: 'right\n' })).status).toBe(0)
    expect((await capstan(['login', lab.url, '--token'], { ...unset, stdin: 'token-of-ann\n' })).status).toBe(0)
  })

  test('a wrong password or token is not kept', async () => {
    expect((await capstan(['login', lab.url, '--user', 'ann'], { ...unset, stdin: 'wrong\n' })).status).toBe(3)
    expect((await capstan(['login', lab.url, '--token'], { ...unset, stdin: 'wrong\n' })).status).toBe(3)
    await expect(stat(file())).rejects.toThrow('ENOENT')
  })

  test('a file that was readable by all is closed when it is written', async () => {
    const { storeToken } = await import('./credentials.ts')
    await storeToken(file(), lab.url, 'token-of-ann')
    await chmod(file(), 0o644)
    await storeToken(file(), 'http://127.0.0.1:1', 'other')
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(file(), 'utf8'))).toMatchObject({
      current: 'http://127.0.0.1:1',
      servers: { [lab.url]: { token: 'token-of-ann' } },
    })
    expect(JSON.parse((await capstan(['caller', 'get', '--server', lab.url, '--json'], unset)).out).name).toBe('ann')
  })

  test('a token is sent to no other server than its own', async () => {
    const { storeToken } = await import('./credentials.ts')
    await storeToken(file(), 'http://127.0.0.1:1', 'token-of-root')
    expect(JSON.parse((await capstan(['caller', 'get', '--server', lab.url, '--json'], unset)).out).name).toBe('default')
  })

  test('logout forgets the token of a server, also of one that is away, and of no other', async () => {
    const { storeToken } = await import('./credentials.ts')
    await storeToken(file(), 'http://127.0.0.1:1', 'other')
    await storeToken(file(), lab.url, 'token-of-ann')
    expect(await capstan(['logout'], unset)).toMatchObject({ status: 0, err: `Signed out of ${lab.url}.\n` })
    expect(JSON.parse(await readFile(file(), 'utf8'))).toEqual({ current: null, servers: { 'http://127.0.0.1:1': { token: 'other' } } })
    expect((await capstan(['logout', 'http://127.0.0.1:1/'], unset)).err).toContain('until it expires')
    expect((await capstan(['logout', lab.url], unset)).status).toBe(3)
    expect(await readFile(file(), 'utf8')).not.toContain('other')
  })

  test('a damaged file is said to be damaged', async () => {
    const { storeToken } = await import('./credentials.ts')
    await storeToken(file(), lab.url, 'x')
    await writeFile(file(), '{"servers":')
    expect((await capstan(['thing', 'list'], unset)).err).toContain('damaged')
  })
})

describe('following', () => {
  async function* log(_call: unknown, input: unknown) {
    const { offset = 0 } = input as { offset?: number }
    const text = Buffer.from('one\ntwo \u001b[31mred\u001b[0m \u001b]0;title\u0007\n').subarray(offset)
    yield { offset, bytes: text, end: false }
    yield { offset: offset + text.length, bytes: new Uint8Array(), end: true }
  }

  test('a log is printed with its colours and without what would change the terminal', async () => {
    lab.follow('run.follow-log', log)
    const { out, status, err } = await capstan(['run', 'log', 'r1'])
    expect(err).toBe('')
    expect(out).toBe('one\ntwo \u001b[31mred\u001b[0m ]0;title\n')
    expect(status).toBe(0)
  })

  test('a connection that is lost is taken up where it was', async () => {
    const offsets: unknown[] = []
    lab.follow('run.follow-log', async function* (call, input) {
      offsets.push((input as { offset?: number }).offset)
      if (offsets.length === 1) yield { offset: 0, bytes: Buffer.from('one\n'), end: false }
      else yield* log(call, input)
    })
    const { out } = await capstan(['run', 'follow', 'r1'])
    expect(offsets).toEqual([undefined, 4])
    expect(out.startsWith('one\ntwo')).toBe(true)
  })
})

describe('completion', () => {
  test.each(['bash', 'zsh', 'fish'])('%s knows nouns, verbs and options', async (shell) => {
    const { out } = await capstan(['completion', shell])
    for (const word of ['thing', 'create', 'tags', 'serve']) expect(out).toContain(word)
  })

  test('an unknown shell is refused', async () => {
    expect((await capstan(['completion', 'tcsh'])).status).toBe(2)
  })
})
