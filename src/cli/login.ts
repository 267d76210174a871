import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { plainUrl, storeToken } from './credentials.ts'
import { CommandFailure } from './exit.ts'
import type { ClientEnvironment } from '../config/client.ts'
import type { Terminal } from './terminal.ts'

type LoginOptions = { readonly url: string; readonly user?: string; readonly token?: boolean }

/** Signs in and keeps the token. With `token` a session token or API key is taken instead of a name and password. */
async function login(terminal: Terminal, environment: ClientEnvironment, options: LoginOptions): Promise<void> {
  const url = plainUrl(options.url)
  const token = options.token ? await secretLine(terminal, 'Token or API key: ') : await newSession(terminal, url, options.user)
  // Something that only somebody signed in may call: a wrong token is told now, not with the next command.
  await callOperation({ url, token }, 'user.list', { limit: 1 }).catch((error: unknown) => {
    if (error instanceof CommandFailure && error.exit === 'refused') return
    throw error
  })
  await storeToken(environment.credentialsFile, url, token)
  terminal.err(`Signed in to ${url}. Commands talk to it from now on.\n`)
}

async function newSession(terminal: Terminal, url: string, user: string | undefined): Promise<string> {
  if (!user && !terminal.interactive) throw new CommandFailure('usage', 'Name the user with --user; the password is read from standard input.')
  const name = user ?? (await terminal.ask('Name or e-mail address: '))
  const password = await secretLine(terminal, 'Password: ')
  const output = await callOperation({ url, token: null }, 'session.create', { login: name, password })
  if (!isObject(output) || typeof output.token !== 'string') throw new CommandFailure('failure', `${url} gave no token: it is no Capstan server.`)
  return output.token
}

/** A secret: asked for without showing it, or the first line of standard input where nobody can be asked. */
async function secretLine(terminal: Terminal, question: string): Promise<string> {
  const text = terminal.interactive ? await terminal.ask(question, { hidden: true }) : ((await terminal.readAll()).split(/\r?\n/)[0] ?? '')
  if (text === '') throw new CommandFailure('usage', `${question.replace(/: $/, '')} is missing. Type it, or pipe it in.`)
  return text
}

export type { LoginOptions }
export { login, secretLine }
