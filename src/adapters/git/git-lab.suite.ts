import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { createGunzip } from 'node:zlib'
import { onTestFinished, vi } from 'vitest'
import { systemClock } from '../../core/kernel/clock.ts'
import { GitBusy, GitProtocolError } from '../../ports/git.ts'
import type { Git, GitServeRequest, RefUpdate } from '../../ports/git.ts'
import { createGit } from './cli.ts'
import type { GitOptions } from './cli.ts'
import { defaultSearchPath } from './environment.ts'

// Real processes on a busy machine: the default of five seconds says nothing about them.
vi.setConfig({ testTimeout: 60_000 })

export type Ran = { code: number; out: string; err: string }

const clientEnvironment = {
  PATH: defaultSearchPath,
  HOME: '/nonexistent',
  LANG: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Ann',
  GIT_AUTHOR_EMAIL: 'ann@lab.test',
  GIT_COMMITTER_NAME: 'Ann',
  GIT_COMMITTER_EMAIL: 'ann@lab.test',
}

/** Runs the user's own git, as a client would. */
export function tryGit(cwd: string, args: readonly string[], options: { input?: string | Buffer; env?: Record<string, string> } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile('git', args, { cwd, env: { ...clientEnvironment, ...options.env }, maxBuffer: 64 * 1024 * 1024 }, (error, out, err) =>
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, out, err }),
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
  })
}

/** What the user's git printed, without the last end of line; fails the test when git failed. */
export async function gitOut(
  cwd: string,
  args: readonly string[],
  options: { input?: string | Buffer; env?: Record<string, string> } = {},
): Promise<string> {
  const ran = await tryGit(cwd, args, options)
  if (ran.code !== 0) throw new Error(`git ${args.join(' ')}: ${ran.err}`)
  return ran.out.trimEnd()
}

export type Lab = {
  readonly home: string
  readonly root: string
  readonly git: Git
  readonly log: { event: string; fields: Readonly<Record<string, unknown>> }[]
  /** The folder of a repository. */
  path(id: string): string
  /** A new working copy with one commit of these files on `master`. */
  working(files?: Record<string, string | Buffer>): Promise<string>
}

/** Storage in a folder of its own, closed and removed behind the test. */
export async function openLab(options: Partial<GitOptions> = {}): Promise<Lab> {
  const home = await mkdtemp(`${tmpdir()}/capstan-git-`)
  const root = `${home}/repositories`
  const log: Lab['log'] = []
  const git = createGit({ root, clock: systemClock, log: { warn: (event, fields = {}) => void log.push({ event, fields }) }, ...options })
  let copies = 0
  onTestFinished(async () => {
    await git.close()
    await rm(home, { recursive: true, force: true })
  })
  return {
    home,
    root,
    git,
    log,
    path: (id) => `${root}/${id}.git`,
    async working(files = { 'README.md': 'one\n' }) {
      const copy = `${home}/copy-${copies++}`
      await gitOut(home, ['init', '-q', '-b', 'master', copy])
      await commit(copy, files)
      return copy
    },
  }
}

/** Commits these files in a working copy; gives the commit's id. */
export async function commit(copy: string, files: Record<string, string | Buffer>, message = 'fixture'): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(`${copy}/${name}`.replace(/\/[^/]*$/, ''), { recursive: true })
    await writeFile(`${copy}/${name}`, content)
  }
  await gitOut(copy, ['add', '-A'])
  await gitOut(copy, ['commit', '-q', '--allow-empty', '-m', message])
  return gitOut(copy, ['rev-parse', 'HEAD'])
}

export type Pushed = { id: string; commands: readonly RefUpdate[]; options: readonly string[]; changes: readonly RefUpdate[] | null }

export type Hosting = {
  readonly url: string
  readonly port: number
  /** Every push that got as far as its commands, with what really changed once that is known. */
  readonly pushes: Pushed[]
  refuse: ((commands: readonly RefUpdate[]) => void) | null
  whenChanged: (() => Promise<void>) | null
}

/** A small HTTP server over `serve`: what the product's own does, without users. */
export async function host(git: Git): Promise<Hosting> {
  const pushes: Pushed[] = []
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const hosting: Hosting = { url: `http://127.0.0.1:${port}`, port, pushes, refuse: null, whenChanged: null }
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x')
    const [, id = '', rest = ''] = /^\/([^/]+)\/(.*)$/.exec(url.pathname) ?? []
    const advertise = rest === 'info/refs'
    const service = advertise ? url.searchParams.get('service')?.slice(4) : rest.slice(4)
    if (service !== 'upload-pack' && service !== 'receive-pack') return void response.writeHead(404).end()
    const gone = new AbortController()
    response.on('close', () => gone.abort(new Error('the client went away')))
    const header = request.headers['git-protocol']
    const pushed: Pushed = { id, commands: [], options: [], changes: null }
    const serve: GitServeRequest = {
      id,
      service,
      phase: advertise ? 'advertise' : 'exchange',
      protocol: typeof header === 'string' ? header : null,
      body: advertise ? null : request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request,
      signal: gone.signal,
      async onCommands(commands, options) {
        hosting.refuse?.(commands)
        pushes.push(Object.assign(pushed, { commands, options }))
      },
      async onChanged(changes) {
        await hosting.whenChanged?.()
        pushed.changes = changes
      },
    }
    try {
      const { contentType, body } = await git.serve(serve)
      response.writeHead(200, { 'content-type': contentType })
      for await (const chunk of body) {
        if (!response.write(chunk)) {
          await new Promise<void>((resolve) => {
            response.once('drain', resolve)
            response.once('close', resolve)
          })
        }
      }
      response.end()
    } catch (error) {
      if (response.headersSent) return void response.destroy()
      const status = error instanceof GitProtocolError ? 400 : error instanceof GitBusy ? 503 : error instanceof Refused ? 403 : 502
      response.writeHead(status).end(String(error))
    }
  }
  return hosting
}

export class Refused extends Error {}

/** Pids of living git processes that storage below `root` has started, found by what only they have in their environment. */
export function gitProcesses(root: string, command?: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(`CAPSTAN_GIT_ROOT=${root}`)) return []
      if (/\) [ZX] /.test(readFileSync(`/proc/${name}/stat`, 'latin1'))) return []
      return command === undefined || readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0').includes(command) ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

/** Resolves when the condition holds. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Names of everything below a folder, to see that nothing was left. */
export async function below(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).sort()
}
