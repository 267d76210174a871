import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './support/load.ts'
import { admin, built, call, environmentOf, freePort, remove, scratch, signIn, start } from './support/servers.ts'
import type { Figure } from './run.ts'

/** A bare clone of a 50 MB repository over HTTP against one of the same repository by file://. */
export async function cloneOverHttp(): Promise<Figure[]> {
  const folder = scratch()
  const port = await freePort()
  const server = await start(built, { port, folder, path: '/readyz', environment: environmentOf(port, folder) })
  await call(port, 'repository.create', { path: 'fifty' }, await signIn(port))
  const remote = `http://${admin.name}:${encodeURIComponent(admin.password)}@127.0.0.1:${port}/fifty`
  const copy = join(folder, 'copy')
  mkdirSync(copy)
  git(copy, 'init', '-q', '-b', 'master')
  for (let at = 0; at < 150; at++) writeFileSync(join(copy, `${at}.bin`), randomBytes(340_000))
  git(copy, 'add', '-A')
  git(copy, 'commit', '-q', '-m', 'fifty')
  git(copy, 'push', '-q', remote, 'master')
  git(folder, 'init', '-q', '--bare', 'local.git')
  git(copy, 'push', '-q', join(folder, 'local.git'), 'master')
  const [ours, floor]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < 7; turn++) {
    floor.push(timed(folder, `file://${folder}/local.git`))
    ours.push(timed(folder, remote))
  }
  await server.stop()
  remove(folder)
  const [a, b] = [median(ours), median(floor)]
  return [
    {
      what: 'clone of 50 MB over HTTP',
      ours: `${a.toFixed(0)} ms`,
      floor: `${b.toFixed(0)} ms`,
      ratio: (a / b).toFixed(2),
      bar: '≤ 1.1',
      held: a / b <= 1.1,
    },
  ]
}

function timed(folder: string, remote: string): number {
  const began = performance.now()
  git(folder, 'clone', '-q', '--bare', remote, 'timed')
  const took = performance.now() - began
  rmSync(join(folder, 'timed'), { recursive: true })
  return took
}

function git(cwd: string, ...args: string[]): void {
  const identity = {
    GIT_AUTHOR_NAME: 'bench',
    GIT_AUTHOR_EMAIL: 'bench@bench.test',
    GIT_COMMITTER_NAME: 'bench',
    GIT_COMMITTER_EMAIL: 'bench@bench.test',
  }
  execFileSync('git', args, { cwd, env: { ...process.env, ...identity, GIT_TERMINAL_PROMPT: '0' }, stdio: ['ignore', 'ignore', 'pipe'] })
}
