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

function begin(line: readonly string[]): { said: Ran; end: Promise<Ran> } {
  const said: Ran = { status: null, out: '', err: '' }
  const end = run(
    line,
    { app: () => Promise.reject(new Error('no command here needs the whole server')), operations: async () => operations },
    {
      terminal: {
        out: (text) => void (said.out += text),
        err: (text) => void (said.err += text),
        interactive: false,
        screen: null,
        interruptible: (work) => work(new AbortController().signal),
        browse: async () => false,
        ask: async () => '',
        readAll: async () => '',
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
  await until('it asks', () => watching.said.out.includes('takes Yes'))
  const id = /Started as (\S+)\.\n/.exec(watching.said.err)?.[1] ?? ''
  expect(watching.said.out).toContain('--step ask --path ask>yes" takes Yes')
  expect((await capstan('job', 'show', id)).out).toContain('Ask first: waiting\n')
  expect((await capstan('job', 'decide', id, '--step', 'ask', '--path', 'ask>yes')).status).toBe(0)
  const ended = await watching.end
  expect([ended.status, ended.out.endsWith('Ask first: succeeded\n')]).toEqual([0, true])
  expect((await capstan('job', 'list')).out).toContain(id)

  const to = join(server.folder, 'again.kom')
  expect((await capstan('workflow', 'export', 'Ask first', '--out', to)).status).toBe(0)
  const { workflows } = JSON.parse(await readFile(to, 'utf8'))
  // What it is here comes with it; everything else is as it was.
  const here = Object.fromEntries(['workflow_id', 'workflow_version_id', 'created_by', 'last_modified'].map((name) => [name, expect.anything()]))
  expect(workflows[0]).toEqual({ ...file.workflows[0], ...here })
}, 60_000)

test('the exit status tells how a job ended, and what stands against a workflow', async () => {
  const watching = begin(['workflow', 'run', 'Ask first', '--watch'])
  await until('it asks', () => watching.said.out.includes('takes No'))
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
