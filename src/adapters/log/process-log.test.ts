import { expect, test } from 'vitest'
import { fault } from '../../core/kernel/fault.ts'
import { Secret } from '../../core/kernel/json.ts'
import { createProcessLog } from './process-log.ts'
import type { LogFields } from '../../core/kernel/log.ts'

function written(format: 'json' | 'pretty', fields: LogFields, event = 'test.event'): string {
  let text = ''
  const log = createProcessLog({ level: 'info', format, write: (line) => void (text += line), now: () => 0 })
  log.info(event, fields)
  return text
}

const parsed = (fields: LogFields) => JSON.parse(written('json', fields))

test('a line is JSON with time, level and event first', () => {
  expect(written('json', { run: 'r1' })).toBe('{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"test.event","run":"r1"}\n')
})

test('a field cannot pretend to be the event, level or time', () => {
  expect(parsed({ event: 'other', level: 'x', time: 'y' })).toMatchObject({ event: 'test.event', level: 'info', time: '1970-01-01T00:00:00.000Z' })
})

test('what is below the level is not written', () => {
  let lines = 0
  const log = createProcessLog({ level: 'warn', format: 'json', write: () => void lines++, now: () => 0 })
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d')
  expect(lines).toBe(2)
})

test('secrets are masked by their type and by the name of their member, however deep', () => {
  const text = written('json', {
    value: new Secret('hunter2'),
    list: [new Secret('hunter2')],
    headers: { authorization: 'hunter2', cookie: 'hunter2', 'X-Api-Key': 'hunter2' },
    deep: { password: 'hunter2', api_secret: { value: 'hunter2' } },
    set: new Map([['a', new Secret('hunter2')]]),
  })
  expect(text).not.toContain('hunter2')
  expect(parsed({ value: new Secret('hunter2') }).value).toBe('***')
  expect(parsed({ tokens_left: 3, passwordless: true })).toMatchObject({ tokens_left: 3, passwordless: true })
})

test('nothing that is logged can throw: cycles, big numbers, functions, broken dates', () => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  expect(() => written('json', { cycle, big: 10n, f: () => 1, date: new Date(Number.NaN), bytes: Buffer.alloc(3), s: Symbol('x') })).not.toThrow()
})

test('an error is written with its code, its private context and its causes', () => {
  const error = fault('not_found', { kind: 'run', reference: 'x' }, { private: { absence: 'hidden' }, cause: new Error('root cause') })
  expect(parsed({ error }).error).toMatchObject({ code: 'not_found', context: { absence: 'hidden' }, cause: { message: 'root cause' } })
})

test('a long text is cut', () => {
  expect(written('json', { text: 'a'.repeat(100_000) }).length).toBeLessThan(10_000)
})

test('on a terminal a value cannot move the cursor or begin a line, and an error shows where it comes from', () => {
  const text = written('pretty', { name: 'a\u001b[2J\nINFO fake', error: new Error('broken') })
  expect(text).not.toContain('\u001b')
  expect(text.split('\n')[0]).toMatch(/^00:00:00.000 INFO {2}test.event name=a.*fake error=broken$/)
  expect(text.split('\n')[1]).toMatch(/^ {4}.*at /)
})
