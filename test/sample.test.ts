import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createApp } from '../src/app.ts'
import { loadConfig } from '../src/config/load.ts'
import { system } from '../src/core/identity/principal.ts'
import { call } from './support/people.ts'
import { until } from './support/engine-lab.ts'
import type { App } from '../src/app.ts'
import type { LogFields } from '../src/core/kernel/log.ts'

vi.setConfig({ testTimeout: 60_000 })

const sampleFolder = join(import.meta.dirname, '..', 'examples', 'sample')

let folder: string
const apps: App[] = []
const warned: { event: string; fields?: LogFields }[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-sample-'))
  warned.length = 0
})
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(environment: Record<string, string> = {}) {
  const config = await loadConfig({
    folder,
    environment: { CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_UNSANDBOXED: 'allow', ...environment },
  })
  const note = (event: string, fields?: LogFields) => void warned.push(fields ? { event, fields } : { event })
  const app = await createApp(config, { log: { debug: () => {}, info: () => {}, warn: note, error: note } })
  apps.push(app)
  const { address, lines } = await app.listen()
  return { app, address, lines, as: (operation: string, input: unknown) => call(app.services, system, operation, input) }
}

const stop = async () => apps.splice(0)[0]?.close()

test('the first start makes a repository with the files of examples/sample and runs its task, also before there is an administrator', async () => {
  const { app, as, lines, address } = await start()
  expect(app.bootstrapToken).not.toBeNull()
  expect(await as('repository.get', { repository: 'sample' })).toMatchObject({ private: false, default_branch: 'master' })
  expect((await as('repository.list-files', { repository: 'sample' })).items.map((item: { path: string }) => item.path)).toContain('hello')
  const said = (await lines)?.join('\n') ?? ''
  const { items } = await as('run.list', { namespace: 'sample' })
  expect(items).toMatchObject([{ name: 'hello-first', state: 'succeeded', started_by: 'system' }])
  expect(said).toMatch(/"sample" succeeded\./)
  expect(said).toContain(`npx capstan run log ${items[0].id}`)
  expect(said).toContain(`${address}/v1/task/deploy/sample/hello`)
  // Nothing on the server's address looks like a link that carries a token.
  expect([...said.matchAll(/https?:\S+/g)].filter(([url]) => /[A-Za-z0-9_.~-]{20,}/.test(url.slice(address.length)))).toEqual([])
})

test('every job of it succeeds when it is deployed alone, and so does its diamond', async () => {
  const { as } = await start()
  const jobs = ['check', 'hello', 'words', 'lines', 'prepare', 'summary', 'tidy']
  for (const directory of jobs) await as('task.deploy', { repository: 'sample', directory })
  await as('pipeline.run', { repository: 'sample', directory: 'report', name: 'first-report' })
  await until(async () => (await as('run.list', { namespace: 'sample', active: true })).items.length === 0, 'all to end')
  const { items } = await as('run.list', { namespace: 'sample', limit: 100 })
  expect(items.filter((run: { state: string }) => run.state !== 'succeeded')).toEqual([])
  expect(items.length).toBeGreaterThan(jobs.length + 1)
})

test('the pipeline with a clean-up fails on purpose, skips what comes after, and cleans up all the same', async () => {
  const { as } = await start()
  const { id } = await as('pipeline.run', { repository: 'sample', directory: 'rehearsal' })
  const ended = () => as('pipeline.get', { pipeline: id })
  await until(async () => (await ended()).finished_at !== null, 'it to end')
  const { state, tasks } = await ended()
  expect(state).toBe('failed')
  expect(tasks.map((task: { name: string; state: string }) => `${task.name} ${task.state}`)).toEqual([
    'prepare succeeded',
    'check failed',
    'summary skipped',
    'tidy succeeded',
  ])
})

test('it has a job, a cron job, a web service, a deployment and pipelines, and every one of its manifests is one that can be deployed', async () => {
  const folders = readdirSync(sampleFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const what = folders.map(({ name }) => {
    if (existsSync(join(sampleFolder, name, 'pipeline.json'))) return 'pipeline'
    const { type, schedule } = JSON.parse(readFileSync(join(sampleFolder, name, 'manifest.json'), 'utf8'))
    return schedule ? 'cron job' : type
  })
  expect([...new Set(what)].sort()).toEqual(['cron job', 'deployment', 'job', 'pipeline', 'service'])
  const { as } = await start()
  for (const directory of ['hourly', 'web', 'ticker']) {
    const { id } = await as('task.deploy', { repository: 'sample', directory })
    await until(async () => ['running', 'scheduled'].includes((await as('task.get', { task: id })).state), `${directory} to run`)
  }
  await as('task.delete', { namespace: 'sample', name: 'web', type: 'service' })
  await as('task.delete', { namespace: 'sample', name: 'ticker', type: 'deployment' })
  const left = async () => (await as('run.list', { kind: 'replica', active: true })).items
  await until(async () => (await left()).length === 0, 'the instances to end')
})

test('a second start makes nothing and says nothing of it, even when somebody has deleted the sample', async () => {
  const first = await start()
  await first.lines
  await first.as('repository.delete', { repository: 'sample' })
  await stop()
  const second = await start()
  expect(second.lines).toBeUndefined()
  expect((await second.as('repository.list', {})).items).toEqual([])
})

test('with CAPSTAN_SAMPLE off there is none', async () => {
  const { as, lines } = await start({ CAPSTAN_SAMPLE: 'false' })
  expect(lines).toBeUndefined()
  expect((await as('repository.list', {})).items).toEqual([])
})

test("somebody's own repository of that name is left alone", async () => {
  const first = await start({ CAPSTAN_SAMPLE: 'false', CAPSTAN_ADMIN_NAME: 'ann', CAPSTAN_ADMIN_PASSWORD: 'correct horse battery' })
  await first.as('repository.create', { path: 'sample', owner: 'ann' })
  await stop()
  const second = await start()
  expect(second.lines).toBeUndefined()
  expect((await second.as('repository.list-branches', { repository: 'sample' })).items).toEqual([])
})

test('a repository that a kill left without its files is finished by the next start', async () => {
  const first = await start({ CAPSTAN_SAMPLE: 'false' })
  await first.as('repository.create', { path: 'sample', private: false })
  await stop()
  const second = await start()
  expect((await second.lines)?.[0]).toContain('succeeded')
})

test('a first run that cannot be started is one warning, and the server serves; the next start does not try again', async () => {
  const { lines, address, app } = await start({ CAPSTAN_RUNTIME_DEFAULT: 'nowhere' })
  expect(lines).toBeUndefined()
  expect(warned.filter(({ event }) => event === 'sample.not_made')).toHaveLength(1)
  expect((await fetch(`${address}/healthz`)).status).toBe(200)
  expect(app.services.stopping.aborted).toBe(false)
  await stop()
  await start({ CAPSTAN_RUNTIME_DEFAULT: 'nowhere' })
  expect(warned.filter(({ event }) => event === 'sample.not_made')).toHaveLength(1)
})
