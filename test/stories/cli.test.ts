import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/cli/run.ts'
import { operations } from '../../src/core/operations.ts'
import { adminKey, freePort, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// What the command line does with tasks and pipelines besides calling operations, on a real server whose tasks are real programs.

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
let server: Server
let gateway: string

beforeAll(async () => {
  const port = await freePort()
  gateway = `http://127.0.0.1:${port}`
  server = await startServer({ environment: { CAPSTAN_GATEWAY_PORT: String(port), CAPSTAN_UNSANDBOXED: 'allow' } })
  await server.admin.ok('repository.create', { path: 'lab' })
  const shell = (script: string) => JSON.stringify({ type: 'job', cmd: ['/bin/sh', '-c', script], 'termination-grace-seconds': 1 })
  const file = (path: string, text: string) => ({ path, base64: Buffer.from(text).toString('base64'), executable: false })
  const flow = (second: string, first = 'quick') => ({
    name: 'flow',
    tasks: [
      { name: 'first', namespacetask: `lab/${first}` },
      { name: 'second', namespacetask: `lab/${second}`, dependance: ['first'] },
    ],
  })
  const files = [
    file('quick/manifest.json', shell('echo quick')),
    file('bad/manifest.json', shell('exit 3')),
    file('slow/manifest.json', shell('sleep 1')),
    // Until it is told to end.
    file('long/manifest.json', shell('echo begun; while :; do sleep 0.1; done')),
    ...['quick', 'bad', 'long'].map((second) => file(`flow-${second}/pipeline.json`, JSON.stringify(flow(second)))),
    file('flow-late/pipeline.json', JSON.stringify(flow('long', 'slow'))),
  ]
  await server.admin.ok('repository.commit-files', { repository: 'lab', parent: null, message: 'Files\n', files })
}, 60_000)
afterAll(() => server?.close(), 30_000)

type Around = { screen?: { columns: number; rows: number }; browser?: boolean; token?: string }
type Ran = { status: number | null; out: string; err: string; browsed: string[] }

/** A command in this process, with a terminal that the test has made. `begin` gives what it has said so far as well. */
function begin(line: readonly string[], around: Around = {}): { said: Ran; end: Promise<Ran> } {
  const said: Ran = { status: null, out: '', err: '', browsed: [] }
  const end = run(
    line,
    { app: () => Promise.reject(new Error('no command here needs the whole server')), operations: async () => operations },
    {
      terminal: {
        out: (text) => void (said.out += text),
        err: (text) => void (said.err += text),
        interactive: false,
        screen: around.screen ?? null,
        interruptible: (work) => work(new AbortController().signal),
        browse: async (url) => {
          said.browsed.push(url)
          return around.browser ?? false
        },
        ask: async () => '',
        readAll: async () => '',
      },
      environment: { credentialsFile: join(server.folder, 'none'), server: server.url, token: around.token ?? adminKey },
    },
  )
  return {
    said,
    end: end.then((status) => {
      said.status = status
      return said
    }),
  }
}

const capstan = (line: readonly string[], around: Around = {}) => begin(line, around).end

/** The real program, which signals reach. */
function program(line: readonly string[]) {
  const child = spawn(process.execPath, [main, ...line], {
    cwd: server.folder,
    env: { PATH: process.env.PATH, HOME: server.folder, CAPSTAN_SERVER: server.url, CAPSTAN_TOKEN: adminKey },
  })
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes) => (said.out += bytes))
  child.stderr.on('data', (bytes) => (said.err += bytes))
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  return { said, ended, interrupt: () => void child.kill('SIGINT') }
}

const start = async (second: string): Promise<string> =>
  (await server.admin.ok('pipeline.run', { repository: 'lab', directory: `flow-${second}` })).id
const kill = (pipeline: string) => server.admin.ok('pipeline.kill', { pipeline })
const deploy = (configuration: object) => server.admin.ok('task.deploy', { namespace: 'lab', configuration })
const job = (name: string, script: string) => ({ type: 'job', name, cmd: ['/bin/sh', '-c', script], 'termination-grace-seconds': 1 })

test('a pipeline is watched to its end, one line for each change, and the exit status tells how it ended', async () => {
  const good = await capstan(['pipeline', 'watch', await start('quick')])
  expect([good.status, good.err]).toEqual([0, ''])
  expect(good.out.trimEnd().split('\n').at(-1)).toBe('flow  succeeded')
  expect(good.out).toMatch(/^flow\/second {2}succeeded/m)
  const bad = await capstan(['pipeline', 'watch', await start('bad')])
  expect([bad.status, bad.err]).toEqual([8, expect.stringContaining('The pipeline has failed')])
  expect(bad.out).toMatch(/^flow\/second {2}failed {2}\(exit code 3\)/m)

  const id = await start('long')
  const { said, end } = begin(['pipeline', 'watch', id])
  await until('the second task is shown to run', () => /^flow\/second {2}running/m.test(said.out))
  await kill(id)
  expect(await end).toMatchObject({ status: 9, err: 'The pipeline was cancelled (pipeline_killed).\n' })
  expect((await capstan(['pipeline', 'watch', '00000000-0000-4000-8000-000000000000'])).status).toBe(5)
}, 60_000)

test('on a screen it is a tree that is drawn again in place, and the whole of it stays at the end', async () => {
  const id = await start('long')
  const { said, end } = begin(['pipeline', 'watch', id], { screen: { columns: 60, rows: 10 } })
  await until('the second task is shown to run', () => said.out.includes('● second  running'))
  const drawn = said.out.length
  // Its seconds go on although nothing changes.
  await until('it is drawn again', () => said.out.length > drawn)
  await kill(id)
  const { status, out } = await end
  expect(status).toBe(9)
  const frames = out.split('\u001b[3A\r\u001b[J')
  expect(frames.length).toBeGreaterThan(3)
  for (const frame of frames) expect(frame).toMatch(/^flow {2}[^\n]+\n└─ [^\n]+\n {3}└─ [^\n]+\n$/)
  expect(frames.at(-1)).toMatch(/^flow {2}cancelled[\s\S]+✔ first {6}succeeded[\s\S]+■ second {2}cancelled/)
}, 60_000)

test('that a task went from starting to running is shown soon, though nothing else happens', async () => {
  const id = await start('late')
  const { said, end } = begin(['pipeline', 'watch', id])
  await until('the second task is shown to run', () => /^flow\/second {2}running/m.test(said.out))
  const { tasks } = await server.admin.ok('pipeline.get', { pipeline: id })
  // Not only because nothing was heard for long.
  expect(Date.now() - Date.parse(tasks[1].started_at)).toBeLessThan(3000)
  await kill(id)
  expect((await end).status).toBe(9)
}, 60_000)

test('"pipeline run --watch" starts one and watches it; with --json each change is the whole pipeline in one line', async () => {
  const { status, out, err } = await capstan(['pipeline', 'run', '--repository', 'lab', '--directory', 'flow-quick', '--watch', '--json'])
  expect([status, err]).toEqual([0, expect.stringMatching(/^Started as [0-9a-f-]{36}\.\n$/)])
  const states = out
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { state: string }).state)
  expect(states.at(-1)).toBe('succeeded')
})

test('watching and following survive that the server is killed and started again', async () => {
  const id = await start('long')
  const watching = begin(['pipeline', 'watch', id])
  await until('the second task runs', () => /^flow\/second {2}running/m.test(watching.said.out))
  const { tasks } = await server.admin.ok('pipeline.get', { pipeline: id })
  const following = begin(['task', 'logs', tasks[1].task, '--follow'])
  await until('its output is shown', () => following.said.out === 'begun\n')
  await server.kill()
  await server.start()
  await kill(id)
  expect(await watching.end).toMatchObject({ status: 9 })
  expect(await following.end).toMatchObject({ status: 9, out: expect.stringMatching(/^begun\n(?!begun)/) })
}, 60_000)

test.each([
  ['pipeline watch', async () => ['pipeline', 'watch', await start('long')], 'Left; the pipeline goes on. "capstan pipeline kill" ends it.\n'],
  [
    'task logs --follow',
    async () => ['task', 'logs', (await deploy(job('endless', 'while :; do echo on; sleep 0.1; done'))).id, '--follow'],
    'Left; the run goes on.\n',
  ],
])(
  'Ctrl-C leaves "%s" with one line and status 130, and what it showed goes on',
  async (_, line, left) => {
    const command = await line()
    const { said, ended, interrupt } = program(command)
    await until('it shows something', () => /running|on\n/.test(said.out))
    interrupt()
    expect(await ended).toEqual({ code: 130, signal: null })
    expect(said.err).toBe(left)
    const { state } = await server.admin.ok('run.get', { run: command[2] })
    expect(['queued', 'starting', 'running']).toContain(state)
    await server.admin.ok('run.cancel', { run: command[2] })
    await until('it has ended', async () => (await server.admin.ok('run.get', { run: command[2] })).finished_at !== null)
  },
  60_000,
)

test('"task deploy --wait" ends with the job, and tells how', async () => {
  const waited = (name: string, script: string) =>
    capstan(['task', 'deploy', '--namespace', 'lab', '--configuration', JSON.stringify(job(name, script)), '--wait', '--json'])
  const good = await waited('good', 'exit 0')
  expect(good.status, good.err).toBe(0)
  expect(JSON.parse(good.out)).toMatchObject({ name: 'good', state: 'succeeded' })
  const bad = await waited('bad', 'exit 3')
  expect([bad.status, JSON.parse(bad.out).exit_code]).toEqual([8, 3])
  expect(bad.err).toMatch(/^Deployed as .+\nThe task has failed \(exit_nonzero\)\.\n$/)
})

test('for a deployment it waits for every instance, and a degraded one fails; a cron job has nothing to wait for', async () => {
  const waited = (configuration: object) =>
    capstan(['task', 'deploy', '--namespace', 'lab', '--configuration', JSON.stringify(configuration), '--wait', '--json'])
  const runs = await waited({ ...job('two', 'while :; do sleep 1; done'), type: 'deployment', replicas: 2 })
  expect(runs.status, runs.err).toBe(0)
  expect(JSON.parse(runs.out)).toMatchObject({ state: 'running', ready_replicas: 2 })
  const ends = await waited({ ...job('ends', 'exit 4'), type: 'deployment' })
  expect([ends.status, ends.err]).toEqual([8, expect.stringContaining('The deployment is degraded')])
  expect((await waited({ ...job('daily', 'exit 0'), schedule: '@daily' })).status).toBe(0)
  for (const name of ['two', 'ends']) await server.admin.ok('task.delete', { namespace: 'lab', name, type: 'deployment' })
  await server.admin.ok('task.delete', { namespace: 'lab', name: 'daily', type: 'cronjob' })
}, 60_000)

test('the logs of a deployment are those of all its instances, also of ones that come later, until it is deleted', async () => {
  const says = (word: string) => ({ ...job('choir', `echo ${word}; while :; do sleep 0.1; done`), type: 'deployment', replicas: 2 })
  await deploy(says('one'))
  const following = begin(['task', 'logs', 'lab/choir', '--follow'])
  const voices = (word: string) => new Set(following.said.out.match(new RegExp(`^choir-\\w{5}(?= \\| ${word}$)`, 'gm'))).size
  await until('both are heard', () => voices('one') === 2)
  expect((await capstan(['task', 'logs', 'lab/choir'])).out.match(/^choir-\w{5} \| one$/gm)).toHaveLength(2)
  await deploy(says('two'))
  await until('those of the next generation as well', () => voices('two') === 2)
  await server.admin.ok('task.delete', { namespace: 'lab', name: 'choir', type: 'deployment' })
  expect(await following.end).toMatchObject({ status: 0, err: '' })
}, 60_000)

test('a task is found by its name in every spelling, and of several kinds the one that is asked for; a stranger finds nothing', async () => {
  await server.admin.ok('task.deploy', { namespace: 'lab', configuration: job('my_job', 'echo mine') })
  await until('it has ended', async () => (await server.admin.ok('run.list', { name: 'my-job', active: false })).items.length === 1)
  for (const name of ['lab/my_job', 'Lab/My.Job', 'lab/my-job'])
    expect(await capstan(['task', 'logs', name])).toMatchObject({ status: 0, out: 'mine\n' })
  expect((await capstan(['task', 'logs', 'lab/my-job', '--type', 'deployment'])).status).toBe(5)
  expect((await capstan(['task', 'logs', 'lab/none'])).status).toBe(5)
  expect((await capstan(['task', 'logs', 'a/b/c'])).status).toBe(2)
  const tom = await server.person('tom')
  const { secret } = await server.admin.ok('api-key.create', { label: 'cli', user: tom.name })
  const { status, out } = await capstan(['task', 'logs', 'lab/my-job'], { token: secret })
  expect([status, out]).toEqual([5, ''])
})

test('"service open" prints the address at the gateway, and gives it to a browser only when it is told to', async () => {
  const service = { ...job('web', 'while :; do sleep 1; done'), type: 'service', 'container-port': 80 }
  await deploy({ ...service, published: { prefix: '/web/' } })
  await deploy({ ...service, name: 'inner' })
  const url = `${gateway}/web/`
  expect(await capstan(['service', 'open', 'lab/web'], { browser: true })).toMatchObject({ status: 0, out: `${url}\n`, browsed: [] })
  expect(await capstan(['service', 'open', 'lab/web', '--browser'], { browser: true })).toMatchObject({ status: 0, out: `${url}\n`, browsed: [url] })
  expect((await capstan(['service', 'open', 'lab/web', '--browser'])).err).toContain('There is no browser here')
  expect(JSON.parse((await capstan(['service', 'open', 'lab/web', '--json'])).out)).toEqual({ url })
  expect(await capstan(['service', 'open', 'lab/inner'])).toMatchObject({ status: 5, out: '', err: expect.stringContaining('no "published"') })
  expect((await capstan(['service', 'open', 'lab/none'])).status).toBe(5)
  for (const name of ['web', 'inner']) await server.admin.ok('task.delete', { namespace: 'lab', name, type: 'service' })
})

test('every command of docs/cli.md is there, with the options that it names', async () => {
  const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8')
  const commands = [...page.matchAll(/`capstan ([a-z-]+ [a-z-]+)([^`]*)`/g)].map(([, command = '', rest = '']) => ({
    command,
    options: rest.match(/--[a-z-]+/g) ?? [],
  }))
  expect(commands.map(({ command }) => command)).toEqual(expect.arrayContaining(['task logs', 'pipeline watch', 'service open', 'schedule list']))
  for (const { command, options } of commands.filter(({ command }) => !command.startsWith('completion'))) {
    const { out, status } = await capstan([...command.split(' '), '--help'])
    expect(status, command).toBe(0)
    expect(out).toContain(`capstan ${command}`)
    for (const option of options) expect(out, command).toContain(option)
  }
})
