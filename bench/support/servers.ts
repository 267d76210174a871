import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startScript } from '../../test/support/start-script.ts'
import type { ChildProcess } from 'node:child_process'

export const root = join(import.meta.dirname, '..', '..')
const script = startScript()
/** The built server and the one with further operations, each as `npm start` runs it. */
export const built = [...script.flags, 'dist/main.js', 'serve']
export const fromSource = [...script.flags, join(root, 'bench/support/capstan.ts')]
export const admin = { name: 'root', password: 'Root-password-1!', email: 'root@bench.test' }

export type Running = { readonly port: number; readonly child: ChildProcess; readonly folder: string; stop(signal?: NodeJS.Signals): Promise<void> }

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'capstan-bench-'))
}

/** Environment of a server of its own on `port` with its data in `folder`. */
export function environmentOf(port: number, folder: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CAPSTAN_'))) as Record<string, string>
  return {
    ...own,
    CAPSTAN_PORT: String(port),
    CAPSTAN_GATEWAY_PORT: '0',
    CAPSTAN_DATA: join(folder, 'data'),
    CAPSTAN_SAMPLE: 'false',
    CAPSTAN_ADMIN_NAME: admin.name,
    CAPSTAN_ADMIN_PASSWORD: admin.password,
    CAPSTAN_ADMIN_EMAIL: admin.email,
    ...script.environment,
    ...more,
  }
}

/** Starts a program under this node and waits until `path` answers 200. */
export async function start(
  args: readonly string[],
  options: { port: number; folder: string; path: string; environment?: Record<string, string> },
): Promise<Running> {
  const child = spawn(process.execPath, args, { cwd: root, env: options.environment ?? process.env, stdio: ['ignore', 'ignore', 'inherit'] })
  await answers(options.port, options.path, child)
  return {
    port: options.port,
    child,
    folder: options.folder,
    async stop(signal = 'SIGTERM') {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill(signal)
      await gone
    },
  }
}

export async function answers(port: number, path: string, child?: ChildProcess): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (child?.exitCode !== undefined && child.exitCode !== null) throw new Error(`The program ended with ${child.exitCode}`)
    try {
      if ((await fetch(`http://127.0.0.1:${port}${path}`)).status < 500) return
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error('The program did not answer within 30 s')
}

export async function call<T>(port: number, operation: string, input: unknown, token?: string): Promise<T> {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) }
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${operation}`, { method: 'POST', headers, body: JSON.stringify(input) })
  if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as T
}

export async function signIn(port: number): Promise<string> {
  return (await call<{ token: string }>(port, 'session.create', { login: admin.name, password: admin.password })).token
}

/** Resident memory in MiB. */
export function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}
