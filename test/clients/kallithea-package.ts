import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ran } from '../support/programs.ts'

const release = 'kallithea==0.7.0'
const folder = join(import.meta.dirname, '..', '..', '.cache', 'clients')
const home = join(folder, release.replace('==', '-'))
const installMs = 5 * 60_000
const triedAgainMs = 24 * 60 * 60_000

// What the two programs import. The whole package asks for old releases that no longer build everywhere; the programs are the same without them.
const imported = [
  'celery >= 5, < 5.1',
  'bcrypt >= 3.1.0',
  'URLObject >= 2.3.4, < 2.5',
  'SQLAlchemy >= 1.2.9, < 1.4',
  'TurboGears2 >= 2.4, < 2.5',
  'WebHelpers2 >= 2.0, < 2.1',
  'WebOb >= 1.8, < 1.9',
  'bleach >= 3.0, < 3.1.4',
  'Markdown >= 2.2.1, < 3.2',
  'Pygments >= 2.2.0, < 2.7',
  'Routes >= 2.0, < 2.5',
  'Click >= 7.0, < 8',
  'dulwich >= 0.19',
  'python-dateutil',
  'mercurial',
  'Mako',
  'chardet',
  'setuptools < 70',
]

// Released in 2021: a module that it imports is in no Python after 3.11.
const pythons = ['python3', 'python3.11', 'python3.10', 'python3.9']
const usable = 'import sys, venv, ensurepip; sys.exit(0 if (3, 8) <= sys.version_info < (3, 12) else 1)'

/** The two programs of the published package, or why they cannot be had. */
export type Clients = { readonly api: string; readonly gist: string } | { readonly missing: string }

/**
 * Kallithea's command line clients as they are published, installed from the package index into a virtual environment that is kept in `.cache`. Where there
 * is no index or no Python that can run them there are none, and why; that is tried again after a day.
 */
export async function kallitheaClients(): Promise<Clients> {
  const clients = { api: join(home, 'bin/kallithea-api'), gist: join(home, 'bin/kallithea-gist') }
  if (existsSync(join(home, 'ready'))) return clients
  const noted = join(folder, 'failed.json')
  const before = JSON.parse(await readFile(noted, 'utf8').catch(() => '{"at":0}')) as { at: number; why: string }
  if (Date.now() - before.at < triedAgainMs) return { missing: `${before.why} (remove ${noted} to try again)` }
  await rm(home, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const why = await install(clients.api)
  if (why === null) await writeFile(join(home, 'ready'), '')
  else await writeFile(noted, JSON.stringify({ at: Date.now(), why }))
  return why === null ? clients : { missing: why }
}

/** Null when it is there. */
async function install(program: string): Promise<string | null> {
  const python = await firstUsable()
  if (!python) return 'there is no Python from 3.8 to 3.11 with venv'
  const made = await run([python, '-m', 'venv', home])
  if (made !== null) return `no virtual environment can be made: ${made}`
  const pip = [join(home, 'bin/pip'), '--disable-pip-version-check', '--no-input', '--retries', '0', '--timeout', '15', 'install', '-q'] as const
  for (const what of [['--no-deps', release], imported]) {
    const failed = await run([...pip, ...what])
    if (failed !== null) return `the package index does not give ${release}: ${failed}`
  }
  const started = await run([program, '--help'])
  return started === null ? null : `it does not start: ${started}`
}

async function firstUsable(): Promise<string | null> {
  for (const python of pythons) if ((await run([python, '-c', usable])) === null) return python
  return null
}

/** Null when it went well, else the last thing that it said. */
async function run(command: readonly [string, ...string[]]): Promise<string | null> {
  // The index may be configured by the home folder and the environment.
  const inherited = Object.entries(process.env).filter(
    ([name, value]) => value !== undefined && /^(HOME|PIP_|HTTPS?_PROXY|NO_PROXY|SSL_)/i.test(name),
  )
  const env = Object.fromEntries(inherited) as Record<string, string> // none is undefined
  const { code, err } = await ran(command, { env, timeoutMs: installMs }).catch((error: unknown) => ({ code: 1, err: String(error) }))
  if (code === 0) return null
  return (
    err
      .trim()
      .split('\n')
      .findLast((line) => /error/i.test(line))
      ?.slice(0, 300) ?? `it ended with ${code}`
  )
}
