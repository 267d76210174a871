import { isObject } from '../core/kernel/json.ts'
import { callOperation } from './client.ts'
import { forgetToken, plainUrl, readCredentials, serverOf, storeToken } from './credentials.ts'
import { CommandFailure, ServerUnreachable } from './exit.ts'
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

/** Ends the session that was kept for a server, and forgets it. An API key that was kept is forgotten only; a server that is away keeps its session until that expires. */
async function logout(terminal: Terminal, environment: ClientEnvironment, named: string | undefined): Promise<void> {
  const { url } = await serverOf(environment, named)
  const { servers } = await readCredentials(environment.credentialsFile)
  const token = Object.hasOwn(servers, url) ? servers[url]?.token : undefined
  if (token === undefined) throw new CommandFailure('notSignedIn', `You are not signed in to ${url} on this machine.`)
  // A key has no session that could be ended, and keys are ended by "api-key delete".
  const ended = await callOperation({ url, token }, 'session.delete', {}).then(
    () => true,
    (error: unknown) => !(error instanceof ServerUnreachable),
  )
  await forgetToken(environment.credentialsFile, url)
  terminal.err(`Signed out of ${url}.${ended ? '' : ' It does not answer, so the session lasts there until it expires.'}\n`)
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
export { login, logout, secretLine }
