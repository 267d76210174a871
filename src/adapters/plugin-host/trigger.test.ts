import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { openLab } from './plugin-lab.suite.ts'
import type { PluginEvent } from '../../ports/plugin-host.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

const labs: PluginLab[] = []
const mechanisms = ['bubblewrap', 'none'] as const

describe.each(mechanisms)('a trigger of a plugin (%s)', (mechanism) => {
  let lab: PluginLab
  beforeAll(async () => {
    lab = await openLab({ mechanisms: [mechanism], unsandboxed: mechanism === 'none', limits: { graceMs: 300 } })
    labs.push(lab)
  })
  afterAll(() => lab.close())

  const start = (plugin: ReturnType<PluginLab['sample']>, input: { to: number; pause: number }) => ({
    plugin,
    name: 'count',
    meta: { trigger_config_id: 't' },
    connection: null,
    input,
  })

  test('posts its events one by one, and the next one only when the one before was kept', async () => {
    const events: PluginEvent[] = []
    let open = 0
    const ended = await lab.host.trigger(start(lab.sample('units'), { to: 4, pause: 0 }), {
      signal: new AbortController().signal,
      async onEvent(event) {
        open += 1
        expect(open).toBe(1)
        await new Promise((resolve) => setImmediate(resolve))
        events.push(event)
        open -= 1
      },
    })
    expect(events.map(({ output }) => output.number)).toEqual([1, 2, 3, 4])
    expect(events[0]?.log).toBe('counted to 1\n')
    expect(ended).toMatchObject({ status: 'error' })
  })

  test('hears 503 for an event that could not be kept', async () => {
    const ended = await lab.host.trigger(start(lab.sample('units'), { to: 4, pause: 0 }), {
      signal: new AbortController().signal,
      onEvent: () => Promise.reject(new Error('the store is away')),
    })
    expect(ended.log).toContain('the event 1 was answered with 503')
  })

  test('goes on until it is asked to end, and then nothing is left of it', async () => {
    const mark = randomBytes(8).toString('hex')
    const stop = new AbortController()
    let count = 0
    const plugin = lab.script(
      'endless',
      `#!/bin/sh
cat >/tmp/message.$$
url=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' /tmp/message.$$); rm /tmp/message.$$
while :; do curl -sS -X POST -H 'content-type: application/json' -d '{"type":"trigger_event","version":"v1","body":{"string":"as others say it","output":{"n":1},"meta":{}}}' "$url" >&2; MARK=${mark} sleep 0.1; done`,
    )
    const said: string[] = []
    const ended = lab.host.trigger(
      { ...start(plugin, { to: 0, pause: 0 }) },
      {
        signal: stop.signal,
        onEvent({ log }) {
          count += 1
          said.push(log)
          return Promise.resolve()
        },
      },
    )
    await until('three events', () => count >= 3)
    stop.abort(new Error('enough'))
    expect(await ended).toMatchObject({ status: 'ok' })
    expect(said[0]).toBe('as others say it')
    expect(processesWith(`MARK=${mark}`)).toEqual([])
  })

  test('who does not know the path, or sends no event, is not heard', async () => {
    const plugin = lab.script(
      'guesses',
      `#!/bin/sh
cat >/tmp/message.$$
url=$(sed 's/.*"url":"\\([^"]*\\)".*/\\1/' /tmp/message.$$); rm /tmp/message.$$
for path in "\${url%/*}/0000" "\${url%%/v2*}/"; do curl -sS -o /dev/null -w 'other %{http_code}\\n' -d '{"body":{"output":{}}}' "$path" >&2; done
curl -sS -o /dev/null -w 'broken %{http_code}\\n' -d '{"body":' "$url" >&2
curl -sS -o /dev/null -w 'empty %{http_code}\\n' -d '{"body":{}}' "$url" >&2
curl -sS -o /dev/null -w 'right %{http_code}\\n' -d '{"body":{"output":{}}}' "$url" >&2`,
    )
    const ended = await lab.host.trigger(start(plugin, { to: 0, pause: 0 }), {
      signal: new AbortController().signal,
      onEvent: () => Promise.resolve(),
    })
    expect(ended.log).toMatch(/other 404\nother 404\nbroken 400\nempty 400\nright 200/)
  })
})
