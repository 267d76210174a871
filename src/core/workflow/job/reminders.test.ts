import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../../../test/support/until.ts'
import { createFakeRuntime } from '../../../adapters/runtime/fake/runtime.ts'
import { createApp } from '../../../app.ts'
import { loadConfig } from '../../../config/load.ts'
import { system } from '../../identity/principal.ts'
import { systemClock } from '../../kernel/clock.ts'
import { silentLog } from '../../kernel/log.ts'
import { invoke } from '../../operation/invoke.ts'
import { nextReminder } from './reminder.ts'
import { documentOf, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'

const letters: string[] = []
const mail = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData(stream, _, done) {
    let text = ''
    stream.on('data', (chunk) => (text += chunk))
    stream.on('end', () => {
      letters.push(text.replaceAll('=\r\n', ''))
      done()
    })
  },
})
mail.on('error', () => {})
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-reminders-'))
  await new Promise<void>((resolve) => mail.listen(0, '127.0.0.1', () => resolve()))
})
afterAll(async () => {
  await new Promise<void>((resolve) => mail.close(() => resolve()))
  await rm(folder, { recursive: true, force: true })
})

async function openServer() {
  const { port } = mail.server.address() as AddressInfo // it listens on TCP
  const environment = { CAPSTAN_DATA: join(folder, 'data'), CAPSTAN_PORT: '0', CAPSTAN_GATEWAY_PORT: '0', CAPSTAN_SAMPLE: 'false' }
  const loaded = await loadConfig({ folder, environment })
  const config = { ...loaded, defaultRuntime: 'fake', smtpUrl: `smtp://127.0.0.1:${port}`, smtpFrom: 'capstan@lab.test' }
  const app = await createApp(config, { log: silentLog, runtimes: [createFakeRuntime({ clock: systemClock })] })
  await app.listen()
  const origin = { via: 'test', peer: '', requestId: 'test' }
  // biome-ignore lint/suspicious/noExplicitAny: tests read members of outputs as scripts of operators do
  const call = (operation: string, input: JsonObject): Promise<any> => invoke(app.services, { principal: system, origin }, operation, input)
  return { ...app, call }
}

const lettersOf = (job: string) => letters.filter((text) => text.includes(job)).length

test('who was asked is reminded until somebody answers, also after a restart, and never of what was answered', async () => {
  const before = await openServer()
  const { serial } = await before.call('user.create', { name: 'bob', email: 'bob@lab.test' })
  const parameters = { stepControlParams: [{ edgeId: 'ask>' }], notifications: { userIdsForEmail: [serial] }, reminder: 1 }
  const ask = { id: 'ask', type: 'human_decision', parameters }
  const over = { id: 'L', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', innerEdgeId: 'L>ask', parallel: 2 } }
  const start = async (name: string, steps: readonly JsonObject[], paths: readonly string[]): Promise<string> => {
    const { id } = await before.call('workflow.create', { document: documentOf({ name, steps: [trigger, ...steps], paths }) })
    await before.call('workflow.activate', { workflow: id })
    return (await before.call('workflow.run', { workflow: id, message: { list: ['a'] } })).id
  }
  const answered = await start('answered', [ask], ['start>ask', 'ask>:Yes'])
  const open = await start('open', [ask], ['start>ask', 'ask>:Yes'])
  const round = await start('in a round', [over, { ...ask, parent_id: 'L' }], ['start>L', 'L>ask', 'ask>:Yes'])
  const jobs = [answered, open, round]
  const waitingOf = async (job: string) => (await before.call('job.get', { job })).waiting_for
  await until('all wait', async () => (await Promise.all(jobs.map(waitingOf))).every(({ length }) => length === 1))
  expect(await waitingOf(round)).toMatchObject([{ step: 'ask', users: [serial], choices: [{ edge: 'ask>', path: 'Yes' }] }])
  await until('all were reminded', async () => jobs.every((job) => lettersOf(job) >= 2))
  await before.call('job.decide', { job: answered, step: 'ask', path: 'ask>' })
  const heard = lettersOf(answered)
  await before.close()

  const sent = [lettersOf(open), lettersOf(round)] as const
  const after = await openServer()
  await until('they are reminded again, twice', async () => lettersOf(open) >= sent[0] + 2 && lettersOf(round) >= sent[1] + 2)
  // A letter that was under way when the answer came is no defect.
  expect(lettersOf(answered) - heard).toBeLessThanOrEqual(1)
  for (const job of [open, round]) await after.call('job.decide', { job, step: 'ask', path: 'ask>' })
  for (const job of jobs) await until('it has ended', async () => (await after.call('job.get', { job })).status === 'succeeded')
  await after.close()
})

test('who is asked reads the artifacts that the step names, with secrets masked', async () => {
  const server = await openServer()
  const { serial } = await server.call('user.create', { name: 'eve', email: 'eve@lab.test' })
  await server.call('secret.set', { name: 'hidden', value: 'correct-horse' })
  const artifact = (id: string, content: string): JsonObject => ({ id, type: 'artifact', parameters: { input: { content } } })
  const steps = [
    artifact('plan', 'Roll out {{[start].what}} with correct-horse'),
    artifact('other', 'not for the letter'),
    {
      id: 'ask',
      type: 'human_decision',
      parameters: { stepControlParams: [{ edgeId: 'ask>' }], notifications: { userIdsForEmail: [serial], artifactIds: ['plan', 'nothing', 7] } },
    },
  ]
  const document = documentOf({ name: 'read first', steps: [trigger, ...steps], paths: ['start>plan', 'plan>other', 'other>ask', 'ask>:Yes'] })
  const { id } = await server.call('workflow.create', { document })
  await server.call('workflow.activate', { workflow: id })
  const job = (await server.call('workflow.run', { workflow: id, message: { what: 'version 7' } })).id
  await until('the letter has come', () => lettersOf(job) === 1)
  const letter = letters.find((text) => text.includes(job)) ?? ''
  expect(letter).toContain('Roll out version 7 with ***')
  expect(letter).not.toContain('not for the letter')
  await server.close()
})

test('a reminder comes at whole times after the question, twenty times at most, and none twice', () => {
  expect(nextReminder(1000, 60_000, 1000)).toBe(61_000)
  expect(nextReminder(1000, 60_000, 61_000)).toBe(121_000)
  expect(nextReminder(1000, 60_000, 500)).toBe(61_000)
  expect(nextReminder(1000, 60_000, 1000 + 19.5 * 60_000)).toBe(1000 + 20 * 60_000)
  expect(nextReminder(1000, 60_000, 1000 + 20 * 60_000)).toBeNull()
})

test('who is asked for approval is written to with the question as it was filled, secrets masked', async () => {
  const server = await openServer()
  await server.call('user.create', { name: 'ann', email: 'ann@lab.test' })
  await server.call('secret.set', { name: 'veiled', value: 'battery-staple' })
  const input = { question: 'Release {{[start].what}} with battery-staple?', users: ['{{[start].who}}'] }
  const parameters = { plugin_name: 'capstan', plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: 'ask_approval', input }
  const ask = { id: 'ask', type: 'action', parameters }
  const document = documentOf({ name: 'release', steps: [trigger, ask], paths: ['start>ask', 'ask>'] })
  const { id } = await server.call('workflow.create', { document })
  await server.call('workflow.activate', { workflow: id })
  const job = (await server.call('workflow.run', { workflow: id, message: { what: 'version 7', who: 'ann' } })).id
  await until('the letter has come', () => lettersOf(job) === 1)
  const letter = letters.find((text) => text.includes(job)) ?? ''
  expect(letter).toContain('To: ann@lab.test')
  expect(letter).toContain('Release version 7 with ***?')
  await server.close()
})
