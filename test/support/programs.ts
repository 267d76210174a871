import { spawn } from 'node:child_process'

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

/** Runs a program to its end, with nothing of our own environment but the path. */
export function ran(
  command: readonly [string, ...string[]],
  options: { cwd?: string; env?: Record<string, string>; input?: string; timeoutMs?: number } = {},
): Promise<Ran> {
  const [program, ...args] = command
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', LANG: 'C.UTF-8', ...options.env }
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env, timeout: options.timeoutMs ?? 60_000 })
    const said = { out: '', err: '' }
    child.stdout.on('data', (bytes) => (said.out += bytes))
    child.stderr.on('data', (bytes) => (said.err += bytes))
    child.stdin.on('error', () => {}) // it may end without reading
    child.stdin.end(options.input ?? '')
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...said }))
  })
}
