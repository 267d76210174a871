import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChildProcess } from 'node:child_process'
import type { AddressInfo } from 'node:net'

// The program as it is started, in a folder of its own.

const main = join(import.meta.dirname, '..', 'main.ts')
let folder: string
const children: ChildProcess[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serve-'))
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

function start(environment: Record<string, string>, flags: readonly string[] = []) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CAPSTAN_') && !name.startsWith('VITEST'))
  const settings = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false', ...environment }
  const child = spawn(process.execPath, [main, 'serve', ...flags], { cwd: folder, env: { ...Object.fromEntries(inherited), ...settings } })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes) => (said.out += bytes))
  child.stderr.on('data', (bytes) => (said.err += bytes))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const saying = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(said.out)
        if (found) resolve(found)
      }
      child.stdout.on('data', look)
      ended.then(() => reject(new Error(`It ended: ${said.out}${said.err}`)))
      look()
    })
  return { child, said, ended, saying }
}

/** The line of a start that was refused. */
async function refusal(environment: Record<string, string>, flags: readonly string[] = []): Promise<string> {
  const { ended, said } = start(environment, flags)
  expect(await ended).toBe(1)
  expect(said.out).toBe('')
  expect(said.err.trimEnd()).not.toContain('\n')
  return said.err
}

describe('a start that is refused is one line and status 1', () => {
  test('an unknown flag, an unknown variable, a bad value', async () => {
    expect(await refusal({}, ['--no-such-flag'])).toContain('--no-such-flag')
    expect(await refusal({ CAPSTAN_NO_SUCH: '1' })).toContain('CAPSTAN_NO_SUCH')
    expect(await refusal({ CAPSTAN_PORT: 'nine' })).toContain('CAPSTAN_PORT')
  })

  test('a port that is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as AddressInfo
    expect(await refusal({ CAPSTAN_PORT: String(port) })).toMatch(new RegExp(`:${port} is in use`))
    taken.close()
  })

  test('a data folder that cannot be written', async () => {
    const file = join(folder, 'a-file')
    await writeFile(file, 'not a folder')
    expect(await refusal({ CAPSTAN_DATA: join(file, 'data') })).toContain('a-file')
  })
})

describe('a start that succeeds', () => {
  test('it says the address and the bootstrap link on lines of their own, and stops within seconds with streams and idle connections open', async () => {
    const server = start({})
    const [, url = ''] = await server.saying(/^Capstan listens on (http:\S+)$/m)
    const [, token = ''] = await server.saying(/^Make .* at \S+\/bootstrap#token=(\S{20,})$/m)
    const post = (operation: string, body: unknown, headers = {}) =>
      fetch(`${url}/api/v1/${operation}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const redeemed = await post('bootstrap.redeem', { token, name: 'root', email: 'root@lab.test', password: 'Root-password-1!' })
    expect(redeemed.status).toBe(200)
    const session = (await redeemed.json()) as { token: string }
    const stream = await fetch(`${url}/api/v1/events`, { headers: { authorization: `Bearer ${session.token}` } })
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/)
    const agent = new Agent({ keepAlive: true })
    await new Promise((resolve) => get(`${url}/healthz`, { agent }, (answer) => answer.resume().on('end', resolve)))
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
    agent.destroy()
    await stream.text().catch(() => '')

    const again = start({})
    await again.saying(/^Capstan listens on /m)
    expect(again.said.out).not.toContain('bootstrap')
    again.child.kill('SIGINT')
    expect(await again.ended).toBe(0)
  })
})
