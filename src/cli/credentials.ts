import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isObject } from '../core/kernel/json.ts'
import { CommandFailure } from './exit.ts'
import type { ClientEnvironment } from '../config/client.ts'
import type { Server } from './client.ts'

/** What `capstan login` stored: a token for each server, and which server commands talk to. */
type Credentials = { readonly current: string | null; readonly servers: Readonly<Record<string, { readonly token: string }>> }

const nothing: Credentials = { current: null, servers: {} }
const defaultServer = 'http://127.0.0.1:9120'

async function readCredentials(file: string): Promise<Credentials> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new CommandFailure('failure', `${file} cannot be read (${error.code}).`)
  })
  if (text === null) return nothing
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value) && isObject(value.servers)) return value as Credentials // written by the function below
  } catch {}
  throw new CommandFailure('failure', `${file} is damaged. Delete it and sign in again.`)
}

/** Keeps a token for a server, which commands talk to from now on. The file is the owner's alone. */
async function storeToken(file: string, url: string, token: string): Promise<void> {
  const { servers } = await readCredentials(file)
  await writeCredentials(file, { current: url, servers: { ...servers, [url]: { token } } })
}

/** Forgets the token for a server; commands talk to it no more than to any other. */
async function forgetToken(file: string, url: string): Promise<void> {
  const { current, servers } = await readCredentials(file)
  const { [url]: _, ...others } = servers
  await writeCredentials(file, { current: current === url ? null : current, servers: others })
}

async function writeCredentials(file: string, next: Credentials): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // Written beside and renamed: a reader never sees half of it, and it is never readable by others for a moment.
  const beside = `${file}.${process.pid}`
  await writeFile(beside, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 })
  await chmod(beside, 0o600)
  await rename(beside, file)
}

/** The server that a command talks to: `--server`, else the environment, else the one signed in to last, else one on this machine. */
async function serverOf(environment: ClientEnvironment, named: string | undefined): Promise<Server> {
  // Where the environment says everything (in CI), what somebody stored on this machine does not matter.
  const { current, servers } = environment.token && (named ?? environment.server) ? nothing : await readCredentials(environment.credentialsFile)
  const url = plainUrl(named ?? environment.server ?? current ?? defaultServer)
  return { url, token: environment.token ?? (Object.hasOwn(servers, url) ? (servers[url]?.token ?? null) : null) }
}

/** A server's address in one spelling. */
function plainUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw new CommandFailure('usage', `"${text}" is no address of a server. Write for example ${defaultServer}.`)
  }
  return url.href.replace(/\/+$/, '')
}

export type { Credentials }
export { defaultServer, readCredentials, storeToken, forgetToken, serverOf, plainUrl }
