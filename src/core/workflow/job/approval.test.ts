import { expect, test } from 'vitest'
import { until } from '../../../../test/support/until.ts'
import { jobLab, loop } from './job-lab.suite.ts'
import { artifact, trigger } from './workflow.suite.ts'
import type { JsonObject } from '../../kernel/json.ts'

const { app, activate, start, ended, runOf, artifactsOf } = jobLab(async () => ({}))

const approval = (input: JsonObject, more: JsonObject = {}): JsonObject => ({
  id: 'ask',
  type: 'action',
  parameters: { plugin_name: 'capstan', plugin_vendor: 'capstan', plugin_version: '1.0.0', step_id: 'ask_approval', input },
  ...more,
})
const told = artifact('told', '{{[ask].[approved]}} {{[ask].[user_name]}} {{[ask].[timed_out]}}')
const drawn = (name: string, input: JsonObject) => ({ name, steps: [trigger, approval(input), told], paths: ['start>ask', 'ask>told'] })

async function asking(job: string) {
  await until('it asks', async () => (await app().system('job.get', { job })).waiting_for.length === 1)
  return (await app().system('job.get', { job })).waiting_for[0]
}

test('whoever is asked for approval answers, nobody else, and the step tells who it was', async () => {
  const [ann, bob] = [await app().person('ann'), await app().person('bob')]
  const workflow = await activate(drawn('release', { question: 'Release {{[start].[what]}}?', users: ['{{[start].[who]}}'] }))
  for (const { name } of [ann, bob]) await app().system('grant.set', { on: `workflow:${workflow}`, to: `user:${name}`, level: 'execute' })
  for (const [path, expected] of [
    ['approve', 'true ann false'],
    ['refuse', 'false ann false'],
  ] as const) {
    const job = await start(workflow, { what: 'it', who: 'ann' })
    const choices = ['approve', 'refuse'].map((edge) => ({ edge, path: edge, timeout_only: false }))
    expect(await asking(job)).toMatchObject({ step: 'ask', users: ['ann'], choices })
    expect((await app().system('job.get', { job })).status).toBe('waiting')
    const other = await bob.call('job.decide', { job, step: 'ask', path })
    expect([other.status, other.json.error.code]).toEqual([403, 'forbidden'])
    expect((await ann.call('job.decide', { job, step: 'ask', path: 'yes' })).status).toBe(400)
    expect((await ann.call('job.decide', { job, step: 'ask', path })).status).toBe(200)
    expect((await ended(job)).status).toBe('succeeded')
    expect(await artifactsOf(job)).toEqual([expected])
    const steps = (await app().system('job.list-steps', { job })).items
    expect(steps.find((step: { step: string }) => step.step === 'ask')).toMatchObject({
      input: { question: 'Release it?', users: ['ann'] },
      output: { approved: path === 'approve', user_name: 'ann', timed_out: false },
    })
  }
})

test('where nobody is named whoever may run the workflow answers, and nobody by silence', async () => {
  const carl = await app().person('carl')
  const open = await activate(drawn('open', { question: 'Go?' }))
  await app().system('grant.set', { on: `workflow:${open}`, to: 'user:carl', level: 'execute' })
  const job = await start(open)
  await asking(job)
  expect((await carl.call('job.decide', { job, step: 'ask', path: 'approve' })).status).toBe(200)
  expect((await ended(job)).status).toBe('succeeded')
  expect(await artifactsOf(job)).toEqual(['true carl false'])

  const silent = await runOf(drawn('silent', { question: 'Go?', timeout: 0.05 }))
  expect(silent).toMatchObject({ status: 'succeeded', failed_step: null })
  expect(await artifactsOf(silent.id)).toEqual(['false  true'])
})

test('each round of a loop asks for itself', async () => {
  const steps = [trigger, loop('L', 'L>ask', { nextEdgeId: 'L>' }), approval({ question: '{{[L].[$item]}}?' }, { parent_id: 'L' })]
  const job = await start(await activate({ name: 'rounds', steps, paths: ['start>L', 'L>ask', 'ask>', 'L>'] }), { list: ['a', 'b'] })
  for (const [round, path] of ['approve', 'refuse'].entries()) {
    await until('the round asks', async () => (await app().system('job.get', { job })).waiting_for[0]?.loop_index === round)
    await app().system('job.decide', { job, step: 'ask', path })
  }
  const { context } = await ended(job)
  expect(context.data.L.$outputs.map((round: { ask: JsonObject }) => round.ask.approved)).toEqual([true, false])
})

test('an approval without a question is found before the workflow is activated', async () => {
  await expect(activate(drawn('mute', {}))).rejects.toThrow(/question/)
})
