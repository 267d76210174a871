import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/cli/run.ts'
import { operations } from '../../src/core/operations.ts'
import { adminKey, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// What the command line does with workflows and jobs besides calling operations, on a real server.

let server: Server
beforeAll(async () => {
  server = await startServer()
}, 60_000)
afterAll(() => server?.close(), 30_000)

type Ran = { status: number | null; out: string; err: string }

type Around = { readonly stdin?: string; readonly answer?: (question: string) => string }

function begin(line: readonly string[], { stdin = '', answer }: Around = {}): { said: Ran; end: Promise<Ran> } {
  const said: Ran = { status: null, out: '', err: '' }
  const end = run(
    line,
    { app: () => Promise.reject(new Error('no command here needs the whole server')), operations: async () => operations },
    {
      terminal: {
        out: (text) => void (said.out += text),
        err: (text) => void (said.err += text),
        interactive: answer !== undefined,
        screen: null,
        interruptible: (work) => work(new AbortController().signal),
        browse: async () => false,
        async ask(question) {
          said.err += question
          return answer?.(question) ?? ''
        },
        readAll: async () => stdin,
      },
      environment: { credentialsFile: join(server.folder, 'none'), server: server.url, token: adminKey },
    },
  )
  return { said, end: end.then((status) => ({ ...said, status })) }
}

const capstan = (...line: string[]) => begin(line).end

const step = (id: string, type: string, parameters: object = {}) => ({ id, name: id, parent_id: '', type, parameters })
const path = (from: string, to: string, name = '') => ({ id: `${from}>${to}`, from_step: from, to_step: to, name })
const file = {
  komand_version: '0.4.0',
  workflows: [
    {
      name: 'Ask first',
      type: 'normal',
      steps: [
        step('start', 'api_trigger'),
        step('ask', 'human_decision', { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] }),
        step('yes', 'artifact', { type: 'markdown', input: { content: 'yes' } }),
        step('no', 'filter', { stepControlParam: { expressionText: '{{[start].[n]}} > 1' } }),
      ],
      paths: [path('start', 'ask'), path('ask', 'yes', 'Yes'), path('ask', 'no', 'No'), path('yes', ''), path('no', '')],
    },
  ],
}

test('a workflow is imported from a file, checked, activated, run, watched, decided and exported by commands', async () => {
  const from = join(server.folder, 'ask.kom')
  await writeFile(from, JSON.stringify(file))
  expect(await capstan('workflow', 'validate', `@${from}`)).toMatchObject({ status: 0, out: 'Nothing stands against activating it.\n' })
  expect(await capstan('workflow', 'import', from)).toMatchObject({ status: 0, out: expect.stringMatching(/^Ask first {2}[0-9a-f-]{36}\n$/) })
  expect((await capstan('workflow', 'import', from)).err).toContain('so it is called "Ask first (2)"')
  expect((await capstan('workflow', 'activate', 'Ask first')).status).toBe(0)

  const watching = begin(['workflow', 'run', 'Ask first', '--watch'])
  await until('it asks', () => watching.said.out.includes('--path Yes'))
  const id = /Started as (\S+)\.\n/.exec(watching.said.err)?.[1] ?? ''
  expect(watching.said.out).toContain(`capstan job decide ${id} --path Yes\n`)
  expect((await capstan('job', 'show', id)).out).toContain('Ask first: waiting\n')
  expect((await capstan('job', 'decide', id, '--step', 'ask', '--path', 'ask>yes')).status).toBe(0)
  const ended = await watching.end
  expect([ended.status, ended.out.endsWith('Ask first: succeeded\n')]).toEqual([0, true])
  const listed = (await capstan('job', 'list', '--workflow', 'Ask first')).out
  expect(listed).toMatch(/^NAME +STATUS .*\nAsk first +succeeded /)
  expect(listed).toContain(id)
  expect((await capstan('job', 'list', '--workflow', 'nothing')).status).toBe(5)
  expect((await capstan('job', 'list-artifacts', id)).out).toBe('yes:\n\nyes\n')

  const to = join(server.folder, 'again.kom')
  expect(await capstan('workflow', 'export', 'Ask first', '--out', to)).toMatchObject({ status: 0, out: '', err: `Written to ${to}.\n` })
  const { workflows } = JSON.parse(await readFile(to, 'utf8'))
  // What it is here comes with it; everything else is as it was.
  const here = Object.fromEntries(['workflow_id', 'workflow_version_id', 'created_by', 'last_modified'].map((name) => [name, expect.anything()]))
  expect(workflows[0]).toEqual({ ...file.workflows[0], ...here })
}, 60_000)

test('the exit status tells how a job ended, and what stands against a workflow', async () => {
  const watching = begin(['workflow', 'run', 'Ask first', '--watch'])
  await until('it asks', () => watching.said.out.includes('--path No'))
  const id = /Started as (\S+)\.\n/.exec(watching.said.err)?.[1] ?? ''
  await capstan('job', 'decide', id, '--step', 'ask', '--path', 'ask>no')
  expect(await watching.end).toMatchObject({ status: 8, out: expect.stringContaining('failed     no: ') })
  expect(await capstan('job', 'watch', id)).toMatchObject({ status: 8 })

  const again = begin(['job', 'rerun', id, '--watch', '--json'])
  await until('it asks', () => again.said.out.includes('"status": "waiting"'))
  const other = /Started as (\S+)\.\n/.exec(again.said.err)?.[1] ?? ''
  expect((await capstan('job', 'cancel', other)).status).toBe(0)
  expect((await again.end).status).toBe(9)
  expect((await capstan('workflow', 'watch', 'Ask first')).status).toBe(9)

  const bad = join(server.folder, 'bad.kom')
  await writeFile(bad, JSON.stringify({ ...file.workflows[0], name: 'Bad', paths: [] }))
  expect(await capstan('workflow', 'validate', `@${bad}`)).toMatchObject({ status: 1, out: expect.stringContaining('ask') })
  expect((await capstan('workflow', 'import', join(server.folder, 'none.kom'))).status).toBe(2)
  expect((await capstan('workflow', 'watch', 'nothing')).status).toBe(5)
}, 60_000)

test('a decision takes names, finds the step that waits, asks for the path, and says what there is to choose', async () => {
  const started = async () => JSON.parse((await capstan('workflow', 'run', 'Ask first', '--json')).out).id as string
  const waiting = async () => {
    const id = await started()
    await until('it asks', async () => (await capstan('job', 'show', id)).out.includes('--path'))
    return id
  }
  const id = await waiting()
  expect(await capstan('job', 'decide', id)).toMatchObject({ status: 2, err: 'Missing: --path. "ask" takes Yes, No.\n' })
  expect(await capstan('job', 'decide', id, '--path', 'Maybe')).toMatchObject({ status: 2, err: expect.stringContaining('"ask" takes Yes, No.') })
  expect(await capstan('job', 'decide', id, '--path', 'Yes', '--step', 'other')).toMatchObject({ status: 6 })
  expect((await capstan('job', 'decide', id, '--path', 'yes')).status).toBe(0)
  await until('it has ended', async () => (await capstan('job', 'show', id)).out.startsWith('Ask first: succeeded'))
  expect(await capstan('job', 'decide', id, '--path', 'Yes')).toMatchObject({ status: 6, err: expect.stringContaining('waits for no decision') })

  const asked = await begin(['job', 'decide', await waiting()], { answer: () => 'No' }).end
  expect(asked).toMatchObject({ status: 0, err: '"ask" takes Yes, No. ' })
  // From a step by its name: the question is asked again.
  const again = begin(['job', 'rerun', id, '--from', 'ask', '--watch'])
  await until('it asks', () => again.said.out.includes('--path Yes'))
  const rerun = /Started as (\S+)\.\n/.exec(again.said.err)?.[1] ?? ''
  expect((await capstan('job', 'decide', rerun, '--step', 'ask', '--path', 'Yes')).status).toBe(0)
  expect((await again.end).status).toBe(0)
}, 60_000)

test('files are checked in both formats and from standard input, and what is no JSON is said of the file', async () => {
  const kom = JSON.stringify({ ...file, workflows: [file.workflows[0], { ...file.workflows[0], name: 'Bad', paths: [] }] })
  const both = await begin(['workflow', 'validate', '-'], { stdin: kom }).end
  expect(both.status).toBe(1)
  expect(both.out).toContain('ask')
  const icon = join(server.folder, 'ask.icon')
  expect((await capstan('workflow', 'export', 'Ask first', '--format', 'icon', '--out', icon)).status).toBe(0)
  expect(await capstan('workflow', 'validate', `@${icon}`)).toMatchObject({ status: 0, out: 'Nothing stands against activating it.\n' })
  expect(await capstan('workflow', 'validate', icon)).toMatchObject({ status: 5, err: expect.stringContaining(`write "@${icon}"`) })
  const text = join(server.folder, 'no.kom')
  await writeFile(text, 'komand_version: 0.4')
  expect(await capstan('workflow', 'import', text)).toMatchObject({ status: 2, err: expect.stringContaining(`${text} is not JSON: `) })
  expect(await begin(['workflow', 'import', '-'], { stdin: '' }).end).toMatchObject({
    status: 2,
    err: expect.stringContaining('Standard input is not JSON'),
  })
}, 60_000)

test('an event is sent by the name of a workflow, and a trigger found by its own where it is the only one', async () => {
  expect((await capstan('trigger', 'send-event', 'Ask first', '--message', '{"n": 1}')).status).toBe(0)
  expect((await capstan('trigger', 'send-event', 'nothing')).status).toBe(5)
  await capstan('trigger', 'create', 'Twice', '--type', 'api_trigger')
  expect((await capstan('trigger', 'get', 'Twice')).out).toMatch(/name +Twice/)
  await capstan('trigger', 'create', 'Twice', '--type', 'api_trigger')
  expect(await capstan('trigger', 'delete', 'Twice')).toMatchObject({ status: 2, err: expect.stringContaining('There are 2 of the name') })
}, 60_000)

test('a plugin is installed from a folder of this machine, and what cannot be read is said', async () => {
  const folder = join(import.meta.dirname, '..', '..', 'examples', 'plugins', 'host_facts')
  const installed = await capstan('plugin', 'install', folder, '--mode', 'cold')
  expect(installed, installed.err).toMatchObject({ status: 0 })
  expect((await capstan('plugin', 'list')).out).toMatch(/host_facts\S+ +\S.* process /)
  expect(await capstan('plugin', 'install', join(folder, 'none'))).toMatchObject({
    status: 2,
    err: expect.stringContaining('cannot be read (ENOENT)'),
  })
  expect((await capstan('plugin', 'install', join(folder, 'README.md'))).status).toBe(2)
}, 60_000)

test('a connection is made of settings that are piped in, tried, and shown without its secrets; one that does not work fails', async () => {
  const mail = ['connection', 'create', 'Post', '--plugin-vendor', 'capstan', '--plugin-name', 'mail', '--plugin-version', '1.0.0']
  const settings = { host: '127.0.0.1', port: 2, from: 'a@lab.test', credentials: { username: 'u', password: 'canary-71ab' } }
  const made = await begin([...mail, '--parameters', '-'], { stdin: `${JSON.stringify(settings)}\n` }).end
  expect(made, made.err).toMatchObject({ status: 0, out: expect.stringContaining('********') })
  expect(JSON.stringify(await capstan('connection', 'get', 'Post', '--json'))).not.toContain('canary')
  expect((await capstan('connection', 'list')).out).toMatch(/^NAME .*\nPost .* capstan\/mail\/1\.0\.0 /)
  const tried = await capstan('connection', 'test', 'Post')
  expect([tried.status, /success +false/.test(tried.out)]).toEqual([1, true])
  const asked = await begin(mail.with(2, 'Post of ours'), {
    answer: (question) => ({ host: '127.0.0.1', port: '25', from: 'a@lab.test' })[/^\w+/.exec(question)?.[0] ?? ''] ?? '',
  }).end
  expect(asked.err).toContain('host: port [587]: ')
  expect([asked.status, asked.out.includes('"host":"127.0.0.1","port":25')]).toEqual([0, true])
  const wrong = await begin([...mail, '--parameters', '-'], { stdin: '{"password": "canary-71ab"' }).end
  expect(wrong).toMatchObject({ status: 2, err: 'What was given for --parameters is not JSON.\n' })
}, 60_000)
