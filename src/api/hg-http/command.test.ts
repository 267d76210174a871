import { expect, test } from 'vitest'
import { askedBy } from './command.ts'

const read = (query: string, headers: Record<string, string> = {}) => askedBy(query, headers)?.reads

test.each(['cmd=capabilities', 'cmd=heads', 'cmd=getbundle&x=1', 'x=1&cmd=lookup', '%63md=known', 'cmd=listkeys&namespace=phases'])(
  '%s only reads',
  (query) => expect(read(query)).toBe(true),
)
test.each(['cmd=unbundle', 'cmd=pushkey', 'cmd=putlfile', 'cmd=nobody-knows-this', 'cmd=HEADS', 'cmd=archive', 'cmd=batch', 'cmd=batch&cmds=heads+'])(
  '%s is taken for a change',
  (query) => expect(read(query)).toBe(false),
)
test.each([
  '',
  'cmd',
  'cmd=',
  'x=heads',
  'cmd=heads&cmd=unbundle',
  'cmd=heads&%63md=unbundle',
  'cmd=heads;cmd=unbundle',
  'cmd=a/b',
  'cmd=%ff',
  '%ff=1&cmd=heads',
])('what %j asks cannot be told', (query) => expect(askedBy(query, {})).toBeNull())

test('arguments in the body are refused, whatever is asked: they are not the ones that are looked at', () =>
  expect(askedBy('cmd=batch', { 'x-hgargs-post': '0', 'x-hgarg-1': 'cmds=heads+' })).toBeNull())

test.each([
  ['cmds=heads+%3Bknown+nodes%3D', true],
  ['cmds=heads+;known+nodes%3D', true],
  ['cmds=heads+%3Bpushkey+namespace%3Dphases', false],
  ['cmds=heads+%253Bpushkey+x', true],
  ['cmds=', false],
  ['cmds=pushkey', false],
  ['x=1&cmds=heads+', false],
  ['cmds=heads+&cmds=pushkey+', false],
  ['%63mds=heads+', false],
  ['cmds=%ff', false],
])('a batch of %j reads: %s', (text, reads) => {
  expect(read('cmd=batch', { 'x-hgarg-1': text })).toBe(reads)
  // Cut anywhere, it is the same.
  expect(read('cmd=batch', { 'x-hgarg-1': text.slice(0, 3), 'x-hgarg-2': text.slice(3) })).toBe(reads)
})

test('a batch counts only in numbered headers from one on, and only alone', () => {
  expect(read('cmd=batch', { 'x-hgarg-2': 'cmds=heads+' })).toBe(false)
  expect(read('cmd=batch&cmds=pushkey+', { 'x-hgarg-1': 'cmds=heads+' })).toBe(false)
})

test('the rest of the query goes on as it was sent', () =>
  expect(askedBy('a=%41&cmd=heads&b=+', {})).toEqual({ command: 'heads', query: 'a=%41&b=+', reads: true }))
