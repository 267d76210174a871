import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { document, openLab, shell } from './plugin-lab.suite.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

let lab: PluginLab
beforeAll(async () => {
  lab = await openLab({ limits: { graceMs: 300, outputBytes: 200_000 }, pool: { processes: 4, perLine: 1, threads: 2, idleMs: 60_000 } })
})
afterAll(() => lab.close())

// A plugin that serves: what it does stands in the input of the call.
const server = `#!/usr/bin/env node
import { createServer } from 'node:http'
import { readFileSync, symlinkSync } from 'node:fs'
if (process.argv[2] !== 'http') process.exit(9)
const config = JSON.parse(readFileSync(process.env.GUNICORN_CONFIG_FILE, 'utf8'))
let calls = 0
const server = createServer((request, response) => {
  const end = (status, body, text) => response.writeHead(status).end(text ?? JSON.stringify({ version: 'v1', type: 'action_event', body: { log: '', meta: {}, ...body } }))
  if (request.method === 'GET') return end(200, null, '{"status":"Ready"}')
  let text = ''
  request.on('data', (chunk) => (text += chunk)).on('end', () => {
    const { body } = JSON.parse(text)
    calls += 1
    const output = { pid: process.pid, calls, path: request.url, connection: body.connection, started: process.env.CAPSTAN_PLUGIN_HOST }
    switch (body.input.do) {
      case 'die': return process.exit(7)
      case 'hang': return
      case 'later': return setTimeout(() => end(200, { status: 'ok', output }), 2500)
      case 'html': return end(500, null, '<h1>Internal Server Error</h1>')
      case 'refuse': return end(400, null, '{"error":"Empty input provided"}')
      case 'fail': return end(500, { status: 'error', error: 'no such thing' })
      case 'flood': return end(200, null, JSON.stringify('x'.repeat(500_000)))
      default: return end(200, { status: 'ok', output })
    }
  })
})
server.listen(config.bind.startsWith('unix:') && !process.env.ON_PORT ? config.bind.slice(5) : 10001)
`

const warm = { mode: 'warm' } as const
const pidOf = (answer: { output: unknown }) => (answer.output as { pid: number; started: string }).started

describe('a plugin in http mode', () => {
  test('stays for the next call, and is told the action in the path', async () => {
    const plugin = lab.script('stays', server)
    const one = await lab.act(plugin, { ...warm, name: 'look up' })
    expect(one).toMatchObject({ status: 'ok', output: { calls: 1, path: '/actions/look%20up' } })
    expect(await lab.act(plugin, warm)).toMatchObject({ output: { calls: 2 } })
  })

  test('believes the envelope, whatever the status of HTTP is; without one it is told what came', async () => {
    const plugin = lab.script('answers', server)
    expect(await lab.act(plugin, { ...warm, input: { do: 'fail' } })).toMatchObject({ status: 'error', error: 'no such thing' })
    expect(await lab.act(plugin, { ...warm, input: { do: 'refuse' } })).toMatchObject({ status: 'error', error: 'Empty input provided' })
    expect(await lab.act(plugin, { ...warm, input: { do: 'html' } })).toMatchObject({
      status: 'error',
      error: 'the plugin answered 500 and no message',
    })
    expect(await lab.act(plugin, { ...warm, input: { do: 'flood' } })).toMatchObject({
      status: 'error',
      error: expect.stringContaining('said more than'),
    })
  })

  test('tells with a broken answer what was said since the call began, and nothing that may be of another call', async () => {
    const plugin = lab.script('says', server.replace("case 'html':", "case 'html': console.error('why ' + body.input.why);"))
    const broken = (why: string) => lab.act(plugin, { ...warm, input: { do: 'html', why } })
    await broken('of the one before')
    expect(await broken('of its own')).toMatchObject({ log: 'why of its own\n', error: 'the plugin answered 500 and no message' })
    const both = [lab.act(plugin, { ...warm, input: { do: 'later' } }), broken('of either')]
    expect((await Promise.all(both))[1]).toMatchObject({ log: '' })
  })

  test('has a process of its own for each connection, and one that has changed is dropped', async () => {
    const plugin = lab.script('connects', server)
    const with_ = (key: string) => lab.act(plugin, { ...warm, connection: { key, parameters: { key } } })
    const [a, b] = [await with_('a'), await with_('b')]
    expect(a.output).toMatchObject({ connection: { key: 'a' } })
    expect(pidOf(a)).not.toBe(pidOf(b))
    await lab.host.dropConnection('a')
    await until('the process is gone', () => processesWith(`CAPSTAN_PLUGIN_HOST=${pidOf(a)}`).length === 0)
    expect(pidOf(await with_('a'))).not.toBe(pidOf(a))
    expect(pidOf(await with_('b'))).toBe(pidOf(b))
    await lab.host.dropConnection('a')
    await lab.host.dropConnection('b')
  })

  test('a crash fails only the calls that it carried, and the next call has a new process', async () => {
    const plugin = lab.script('crashes', server)
    const before = await lab.act(plugin, warm)
    const died = await lab.act(plugin, { ...warm, input: { do: 'die' } })
    expect(died).toMatchObject({ status: 'error', error: 'the process of the plugin broke off in the middle of the call, it ended with 7' })
    const after = await lab.act(plugin, warm)
    expect(after.status).toBe('ok')
    expect(pidOf(after)).not.toBe(pidOf(before))
  })

  test('a call that takes too long fails, others of the same process are carried to their end, and then it is ended', async () => {
    const plugin = lab.script('slow', server)
    const first = await lab.act(plugin, warm)
    const other = lab.act(plugin, { ...warm, input: { do: 'later' } })
    expect(await lab.act(plugin, { ...warm, timeoutMs: 1_000, input: { do: 'hang' } })).toMatchObject({ error: 'plugin timed out after 1 seconds' })
    expect(await other).toMatchObject({ status: 'ok', output: { started: pidOf(first) } })
    await until('it is gone', () => processesWith(`CAPSTAN_PLUGIN_HOST=${pidOf(first)}`).length === 0)
    expect((await lab.act(plugin, warm)).status).toBe('ok')
  })

  test('calls beyond what its threads carry wait their turn', async () => {
    const plugin = lab.script('queue', server)
    await lab.act(plugin, warm)
    const started = [1, 2].map(() => lab.act(plugin, { ...warm, timeoutMs: 3_000, input: { do: 'hang' } }))
    const third = lab.act(plugin, { ...warm, timeoutMs: 20_000 })
    // Both threads hang, and one process is all that a line may have: the third is carried when they have given up.
    expect(await Promise.race([third.then(() => 'third'), Promise.all(started).then(() => 'first')])).toBe('first')
    expect(await third).toMatchObject({ status: 'ok' })
  })

  test('one that has no http mode is called in a process of its own, and that is remembered', async () => {
    const plugin = lab.script(
      'plain',
      shell(`echo "$1" >&2; printf '%s' ${document({ status: 'ok', output: { cold: 'yes' } })}`).replace(
        'message=$(cat)',
        'if [ "$1" = http ]; then exit 2; fi; message=$(cat)',
      ),
    )
    expect(await lab.act(plugin, warm)).toMatchObject({ status: 'ok', output: { cold: 'yes' } })
    expect(await lab.act(plugin, warm)).toMatchObject({ status: 'ok', log: 'run\n' })
  })

  test('one that can listen on a port only is reached through its wall', async () => {
    const plugin = lab.script('port', server.replace('&& !process.env.ON_PORT', '&& false'))
    expect(await lab.act(plugin, warm)).toMatchObject({ status: 'ok', output: { calls: 1 } })
  })

  test('a socket that is a link to another one is not followed', async () => {
    const led = server
      .replace('server.listen(', "symlinkSync('proxy.sock', 'plugin.sock'); server.listen(")
      .replace('&& !process.env.ON_PORT', '&& false')
    // It listens on its port as well: an answer from there says that the link was passed over.
    expect(await lab.act(lab.script('link', led), warm)).toMatchObject({ status: 'ok', output: { calls: 1 } })
  })
})

test('the longest idle process makes room for another plugin', async () => {
  const small = await openLab({ pool: { processes: 1 } })
  try {
    const [one, other] = [small.script('one', server), small.script('other', server)]
    const first = await small.act(one, warm)
    expect((await small.act(other, warm)).status).toBe('ok')
    await until('the first is gone', () => processesWith(`CAPSTAN_PLUGIN_HOST=${pidOf(first)}`).length === 0)
    // Side by side there is room for one at a time, and both get their turn.
    const both = await Promise.all([small.act(one, warm), small.act(other, warm), small.act(one, warm), small.act(other, warm)])
    expect(both.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok'])
  } finally {
    await small.close()
  }
})

test('a process that nobody calls is ended', async () => {
  const short = await openLab({ pool: { idleMs: 200 } })
  try {
    const first = await short.act(short.script('idle', server), warm)
    await until('it is gone', () => processesWith(`CAPSTAN_PLUGIN_HOST=${pidOf(first)}`).length === 0)
  } finally {
    await short.close()
  }
})

test('the sample in TypeScript answers in both modes alike', async () => {
  const plugin = lab.sample('units')
  const call = { name: 'convert', input: { value: 2.5, from: 'km', to: 'm' }, meta: { id: randomBytes(4).toString('hex') } }
  const [cold, hot] = [await lab.act(plugin, call), await lab.act(plugin, { ...call, ...warm })]
  expect(cold).toMatchObject({ status: 'ok', output: { value: 2500, text: '2.5 km is 2500 m' } })
  expect(hot).toEqual(cold)
  const wrong = { ...call, input: { value: 'x', from: 'km', to: 'm' } }
  expect(await lab.act(plugin, { ...wrong, ...warm })).toMatchObject({ status: 'error', exception: { cause: 'The input is not a length.' } })
})
