import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A PostgreSQL server of the test's own, with an empty data folder. */
export type TestPostgres = {
  /** The address of a new, empty database. */
  database(): Promise<string>
  /** Ends the server as a power cut would, and waits until it is gone. */
  kill(): Promise<void>
  /** Starts it again after `kill`, with what it had made durable. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export type Missing = { readonly missing: string }

/**
 * Starts a server, or says why there can be none. `durable: false` is for tests that kill nothing: it syncs no disk, which is several times quicker. When CAPSTAN_TEST_REQUIRE names `postgres`, its absence throws.
 */
export async function startPostgres(options: { durable: boolean } = { durable: true }): Promise<TestPostgres | Missing> {
  const found = await tryStart(options).catch((error: unknown) => ({ missing: error instanceof Error ? error.message : String(error) }))
  if ('missing' in found && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('postgres'))
    throw new Error(`PostgreSQL is required for this run of the tests: ${found.missing}`)
  return found
}

async function tryStart({ durable }: { durable: boolean }): Promise<TestPostgres | Missing> {
  const programs = findPrograms()
  if (programs === null) return { missing: 'initdb and postgres are not installed' }
  const account = await accountFor()
  if (account === null) return { missing: 'PostgreSQL does not run as root, and there is no account "postgres"' }
  const folder = await mkdtemp(join(tmpdir(), 'capstan-postgres-'))
  await chmod(folder, 0o700)
  if (account.uid !== undefined && account.gid !== undefined) await chown(folder, account.uid, account.gid)
  const options = { ...account, cwd: folder }
  const data = join(folder, 'data')
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'], options)

  const port = await freePort()
  let server = await launch()
  let count = 0

  async function launch(): Promise<ChildProcess> {
    const args = ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=100']
    if (!durable) for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) args.push('-c', `${setting}=off`)
    const child = spawn(join(programs ?? '', 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stderr?.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-4000)
        if (said.includes('ready to accept connections')) resolve()
      })
      child.on('exit', () => reject(new Error(`PostgreSQL did not start: ${said}`)))
    })
    return child
  }

  const ended = async (signal: NodeJS.Signals) => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const gone = new Promise((resolve) => server.once('exit', resolve))
    server.kill(signal)
    await gone
  }

  return {
    async database() {
      const name = `test_${++count}`
      await run(join(programs, 'createdb'), ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', name], options)
      return `postgres://postgres@127.0.0.1:${port}/${name}`
    },
    kill: () => ended('SIGQUIT'),
    async restart() {
      server = await launch()
    },
    async stop() {
      await ended('SIGINT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function findPrograms(): string | null {
  const versions = '/usr/lib/postgresql'
  const packaged = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : []
  const folders = [...packaged.sort().reverse(), ...(process.env.PATH ?? '').split(':')]
  return folders.find((folder) => folder !== '' && existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null
}

async function accountFor(): Promise<{ uid?: number; gid?: number } | null> {
  if (process.getuid?.() !== 0) return {}
  try {
    const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)))
    return uid === undefined || gid === undefined ? null : { uid, gid }
  } catch {
    return null
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('There is no free port'))))
    })
  })
}
