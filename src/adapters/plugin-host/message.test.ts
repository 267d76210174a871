import { describe, expect, test } from 'vitest'
import { answerOf, messageOf, readEnd } from './message.ts'
import type { PluginCall } from '../../ports/plugin-host.ts'

const envelope = (body: object) => JSON.stringify({ body, version: 'v1', type: 'action_event' })
const right = envelope({ log: 'own log\n', status: 'ok', meta: {}, output: { said: 1 } })
const end = (stdout: string, stderr = '', code = 0) => readEnd({ stdout, stderr, code, signal: null })

describe('what a process has said', () => {
  test('is its answer behind text without a line break, whatever objects it has printed on lines before', () => {
    const printed = [
      'line 1',
      '{"body": {"status": "ok", "output": {"said": -1}}',
      envelope({ status: 'ok', output: { said: -2 } }),
      'answering now: ',
    ]
    const answer = end(printed.join('\n') + right)
    expect(answer).toMatchObject({ status: 'ok', output: { said: 1 } })
    expect(answer.log).toContain('line 1\n')
    expect(answer.log).toContain('answering now: \nown log\n')
  })

  test('is the last answer that begins a line, with what is said after it left out', () => {
    expect(end(`${envelope({ status: 'error', error: 'printed' })}\n${right}\ngood bye\n`)).toMatchObject({ status: 'ok', output: { said: 1 } })
  })

  test('is the document and not what it holds', () => {
    const inner = { body: { status: 'error', error: 'of somebody else' } }
    const pretty = `log line\n${JSON.stringify({ body: { status: 'ok', output: { answers: [inner] } } }, null, 1).replaceAll(/\n\s+\{/g, '\n{')}`
    expect(end(pretty)).toMatchObject({ status: 'ok', output: { answers: [inner] } })
  })

  test('is no answer when half of it is missing, and the last line of standard error says why', () => {
    const half = right.slice(0, -40)
    expect(end(half, 'Traceback\n  File "x"\nTypeError: not JSON serializable\n\n', 1)).toMatchObject({
      status: 'error',
      error: 'TypeError: not JSON serializable',
      log: 'Traceback\n  File "x"\nTypeError: not JSON serializable\n\n',
    })
  })

  test('is nothing when the set-up of a plugin in Go fails', () => {
    expect(end('', '', 1)).toMatchObject({ status: 'error', error: 'the plugin ended with 1 and gave no answer' })
    expect(end('', 'panic: no key\n', 1)).toMatchObject({ status: 'error', error: 'panic: no key' })
  })

  test('is read in time however many objects a plugin begins', () => {
    const begun = '\n{'.repeat(2_000_000)
    const from = performance.now()
    expect(end(begun)).toMatchObject({ status: 'error' })
    expect(performance.now() - from).toBeLessThan(5_000)
  })
})

describe('the body of an envelope', () => {
  const around = { before: '', stderr: '' }

  test('counts by its status, with output and error both there as plugins in Go send them', () => {
    const common = { log: '', meta: {}, string: 'as Go says it\n' }
    expect(answerOf({ ...common, status: 'ok', output: { n: 1 }, error: '' }, around)).toEqual({
      ...{ status: 'ok', output: { n: 1 }, error: null, exception: null, log: 'as Go says it\n' },
    })
    expect(answerOf({ ...common, status: 'error', output: {}, error: 'no such host' }, around)).toEqual({
      ...{ status: 'error', output: null, error: 'no such host', exception: null, log: 'as Go says it\n' },
    })
  })

  test('has its log once where standard error has it too', () => {
    const answer = answerOf({ status: 'ok', log: 'one $&\ntwo\n', output: {} }, { before: 'printed\n', stderr: 'a warning\none $&\ntwo\na trace\n' })
    expect(answer.log).toBe('printed\none $&\ntwo\na warning\na trace\n')
  })

  test('gives texts without NUL, which stands before later logs of old runtimes', () => {
    const answer = answerOf({ status: 'error', log: '\0\0\0later\n', error: 'bro\0ken' }, { before: '', stderr: 'sa\0id\n' })
    expect(answer).toMatchObject({ error: 'broken', log: 'later\nsaid\n' })
  })
})

test('a message has objects for all that is absent, and both members of a dispatcher', () => {
  const plugin = { vendor: 'v', name: 'n', version: '1.0.0', runtime: 'process', path: 'n', image: null, cache: false } as const
  const call = { plugin, name: 'x', meta: {}, connection: null, input: {}, mode: 'cold', timeoutMs: 1 } as const
  const body = (more: Pick<PluginCall, 'what' | 'testOf'>) => JSON.parse(messageOf({ ...call, ...more })) as unknown
  const common = { meta: {}, connection: {}, input: {} }
  expect(body({ what: 'action' })).toEqual({ version: 'v1', type: 'action_start', body: { action: 'x', ...common } })
  expect(body({ what: 'task' })).toEqual({ version: 'v1', type: 'task_start', body: { task: 'x', ...common, state: {}, custom_config: {} } })
  expect(body({ what: 'test', testOf: 'trigger' })).toEqual({
    ...{ version: 'v1', type: 'trigger_start', body: { trigger: 'x', ...common, dispatcher: { url: '', webhook_url: '' } } },
  })
})
