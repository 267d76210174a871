import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { onTestFinished, vi } from 'vitest'
import { systemClock } from '../../core/kernel/clock.ts'
import type { Hg } from '../../ports/hg.ts'
import { createHg } from './adapter.ts'
import type { HgOptions } from './adapter.ts'
import { findProgram, marker } from './environment.ts'

// Real processes on a busy machine: the default of five seconds says nothing about them.
vi.setConfig({ testTimeout: 60_000 })

/** Whether there is a Mercurial here. When CAPSTAN_TEST_REQUIRE names `hg`, its absence throws instead of skipping. */
export function hasHg(): boolean {
  if (findProgram('hg') !== null) return true
  if ((process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('hg')) throw new Error('CAPSTAN_TEST_REQUIRE names hg, and it is not installed')
  console.warn('Skipped: these tests need Mercurial (hg), and it is not installed')
  return false
}

type Ran = { code: number; out: string; err: string }

const environment = {
  PATH: '/usr/bin:/bin:/usr/local/bin',
  HOME: '/nonexistent',
  LANG: 'C.UTF-8',
  HGRCPATH: '',
  HGPLAIN: '1',
  HGUSER: 'Ann <ann@lab.test>',
}

/** Runs the user's own hg, as a client would. */
export function tryHg(cwd: string, args: readonly string[], options: { env?: Record<string, string> } = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile('hg', ['--noninteractive', ...args], { cwd, env: { ...environment, ...options.env }, maxBuffer: 64 * 1024 * 1024 }, (error, out, err) =>
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : 255) : 0, out, err }),
    )
  })
}

/** What the user's hg printed, without the last end of line; fails the test when hg failed. */
export async function hgOut(cwd: string, args: readonly string[]): Promise<string> {
  const ran = await tryHg(cwd, args)
  if (ran.code !== 0) throw new Error(`hg ${args.join(' ')}: ${ran.err}${ran.out}`)
  return ran.out.trimEnd()
}

/** Commits these files in a working copy; gives the id of the changeset. */
export async function hgCommit(copy: string, files: Record<string, string | Buffer>, message = 'fixture'): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(`${copy}/${name}`.replace(/\/[^/]*$/, ''), { recursive: true })
    await writeFile(`${copy}/${name}`, content)
  }
  await hgOut(copy, ['addremove', '-q'])
  await hgOut(copy, ['commit', '-q', '-m', message])
  return hgOut(copy, ['log', '-r', '.', '-T', '{node}'])
}

export type HgLab = {
  readonly home: string
  readonly root: string
  readonly hg: Hg
  readonly log: { event: string; fields: Readonly<Record<string, unknown>> }[]
  /** The folder of a repository. */
  path(id: string): string
}

/** Storage in a folder of its own, closed and removed behind the test. */
export async function openHgLab(options: Partial<HgOptions> = {}): Promise<HgLab> {
  const home = await mkdtemp(`${tmpdir()}/capstan-hg-test-`)
  const root = `${home}/repositories`
  const log: HgLab['log'] = []
  const hg = await createHg({ root, clock: systemClock, log: { warn: (event, fields = {}) => void log.push({ event, fields }) }, ...options })
  onTestFinished(async () => {
    await hg.close()
    await rm(home, { recursive: true, force: true })
  })
  return { home, root, hg, log, path: (id) => `${root}/${id}.hg` }
}

/** The ids of all hg processes that belong to a folder of storage. */
export function hgProcesses(root: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, 'latin1').split('\0').includes(`${marker}=${root}`) && existsSync(`/proc/${name}/exe`)
      } catch {
        return false
      }
    })
    .map(Number)
}
