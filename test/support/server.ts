import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clientOf } from './client.ts'
import { startScript } from './start-script.ts'
import { until } from './until.ts'
import type { ChildProcess } from 'node:child_process'
import type { Client, Recorder } from './client.ts'

const asStarted = startScript()
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export const adminName = 'ann'
export const adminPassword = 'correct horse battery'
export const adminKey = 'adminadminadminadminadminadminadminadmin'

export type Person = Client & { readonly name: string; readonly password: string }

export type Server = {
  readonly url: string
  readonly port: number
  /** A folder of the test's own; the data folder is `data` in it. */
  readonly folder: string
  readonly data: string
  readonly admin: Person
  readonly nobody: Client
  /** A new user with a password and an API key. */
  person(name: string, more?: Record<string, unknown>): Promise<Person>
  /** All that was written to standard output and to the log so far, over all starts. */
  said(): { readonly out: string; readonly log: string }
  pid(): number
  /** Ends the process as a power cut would. Its work goes on. */
  kill(): Promise<void>
  /** Starts it again on the same port and data, and waits until it answers. */
  start(): Promise<void>
  /** Asks it to stop, and gives its exit status. */
  stop(): Promise<number | null>
  /** Ends everything, its work too, and removes the folder. */
  close(): Promise<void>
}

export type ServerOptions = {
  readonly environment?: Record<string, string>
  /** Where its folder is made. */
  readonly parent?: string
  readonly record?: Recorder
  /** A command line to start it with, which must become the server itself (`exec`). */
  readonly wrap?: readonly string[]
}

/** The real program on a free port with a data folder of its own and an administrator. */
export async function startServer({ environment = {}, parent = tmpdir(), record, wrap = [] }: ServerOptions = {}): Promise<Server> {
  const folder = mkdtempSync(join(parent, 'capstan-server-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const inherited = Object.entries(process.env).filter(([name]) => !/^(CAPSTAN_|VITEST|NODE_)/.test(name))
  const settings = {
    MALLOC_MMAP_THRESHOLD_: '1048576',
    CAPSTAN_DATA: join(folder, 'data'),
    CAPSTAN_PORT: String(port),
    CAPSTAN_GATEWAY_PORT: '0',
    CAPSTAN_SAMPLE: 'false',
    CAPSTAN_ADMIN_NAME: adminName,
    CAPSTAN_ADMIN_PASSWORD: adminPassword,
    CAPSTAN_ADMIN_EMAIL: 'ann@example.org',
    CAPSTAN_ADMIN_API_KEY: adminKey,
    ...environment,
  }
  const said = { out: '', log: '' }
  let child: ChildProcess
  let ended: Promise<number | null>

  const start = async () => {
    // As `npm start` does it.
    const [program = '', ...args] = [...wrap, process.execPath, ...asStarted.flags, main, 'serve']
    child = spawn(program, args, { cwd: folder, env: { ...Object.fromEntries(inherited), ...asStarted.environment, ...settings } })
    child.stdout?.on('data', (bytes) => (said.out += bytes))
    child.stderr?.on('data', (bytes) => (said.log += bytes))
    // 'exit', not 'close': work that outlives the server may hold its pipes.
    ended = new Promise((resolve) => child.once('exit', resolve))
    await until(
      'the server is ready',
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The server ended: ${said.out}${said.log}`)
        return fetch(`${url}/readyz`).then(
          (response) => response.ok,
          () => false,
        )
      },
      60_000,
    )
  }
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended
  }
  const personWith = (name: string, password: string, key: string): Person => ({ ...clientOf(url, key, record), name, password })
  const admin = personWith(adminName, adminPassword, adminKey)
  await start().catch((error: unknown) => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  return {
    url,
    port,
    folder,
    data: settings.CAPSTAN_DATA,
    admin,
    nobody: clientOf(url, null, record),
    async person(name, more = {}) {
      const password = `a long phrase of ${name}`
      await admin.ok('user.create', { name, email: `${name}@lab.test`, password, ...more })
      const { secret } = await admin.ok('api-key.create', { label: 'test', user: name })
      return personWith(name, password, secret)
    },
    said: () => ({ ...said }),
    pid: () => child.pid ?? 0,
    async kill() {
      await end('SIGKILL')
    },
    start,
    stop: () => end('SIGTERM'),
    async close() {
      if (child.exitCode === null && child.signalCode === null) await endWork(admin).catch(() => {})
      await end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

// A test that failed half way must not leave tasks behind.
async function endWork(admin: Client): Promise<void> {
  const active = async () => (await admin.ok('run.list', { active: true, limit: 1000 })).items as { id: string }[]
  for (const { id } of await active()) await admin.call('run.cancel', { run: id })
  await until('no run is left', async () => (await active()).length === 0, 8000)
}

/** A port of loopback that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('There is no free port'))))
    })
  })
}
