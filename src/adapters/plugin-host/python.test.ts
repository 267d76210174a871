import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { openLab } from './plugin-lab.suite.ts'
import type { InstalledPlugin, PluginEvent } from '../../ports/plugin-host.ts'

// The published runtime of plugins comes from a package index, into the environment that the host makes. Without an index these tests are left out.

const signal = new AbortController().signal
// Where a mirror of the index stands is not what is tried here.
const lab = await openLab({ allow: ['0.0.0.0/0', '::/0'] })
const plugin = lab.sample('wording')
const missing = await lab.host.prepare(plugin, { signal }).then(
  () => null,
  (error: unknown) => (error instanceof PluginRefused ? error.message : String(error)),
)
if (missing !== null && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('python')) throw new Error(`python is required: ${missing}`)
if (missing !== null) console.warn(`Tests of the published Python runtime are left out. ${missing}`)
afterAll(() => lab.close())

const secretKey = 'a-key-that-is-long'
const call = { name: 'count', connection: { key: 'one', parameters: { key: { secretKey } } }, input: { text: 'one two three', least: 1 } }

describe.skipIf(missing !== null)('a plugin on the published Python runtime', () => {
  test('has its environment made once', async () => {
    const from = performance.now()
    await lab.host.prepare(plugin, { signal })
    expect(performance.now() - from).toBeLessThan(1_000)
  })

  test('stays between calls in http mode', async () => {
    const answer = await lab.act(plugin, { ...call, mode: 'warm', timeoutMs: 120_000 })
    expect(answer.status).toBe('ok')
    expect(readdirSync(`${lab.home}/data/plugin-work`).filter((name) => name.startsWith('host-'))).toHaveLength(1)
  })

  describe.each(['cold', 'warm'] as const)('called %s', (mode) => {
    test('answers', async () => {
      expect(await lab.act(plugin, { ...call, mode, timeoutMs: 120_000 })).toMatchObject({
        status: 'ok',
        output: { words: 3, longest: 'three' },
        error: null,
      })
    })

    test('refuses wrong input in the words that clients match on', async () => {
      const wrong = (input: { text?: unknown; least?: number }) =>
        lab.act(plugin, { ...call, input: input as Record<string, string>, mode, timeoutMs: 120_000 })
      expect((await wrong({ least: 1 })).error).toMatch(/'text' is a required property/)
      expect((await wrong({ text: 5, least: 1 })).error).toMatch(/5 is not of type 'string'/)
      expect((await lab.act(plugin, { ...call, name: 'nope', mode, timeoutMs: 120_000 })).error).toContain('Unknown action "nope"')
    })

    test('raises on purpose with cause and assistance', async () => {
      const answer = await lab.act(plugin, { ...call, input: { text: 'ab', least: 5 }, mode, timeoutMs: 120_000 })
      expect(answer).toMatchObject({ status: 'error', exception: { cause: 'There is no word.', assistance: 'Give a text with words.' } })
    })
  })

  test('tries its connection', async () => {
    const tried = (key: string) =>
      lab.act(plugin, { what: 'test', name: 'count', connection: { key, parameters: { key: { secretKey: key } } }, timeoutMs: 120_000 })
    expect(await tried('long enough')).toMatchObject({ status: 'ok' })
    expect((await tried('short')).error).toContain('The key is too short.')
  })

  test('posts the events of its trigger', async () => {
    const events: PluginEvent[] = []
    const start = { plugin, name: 'repeat', meta: { trigger_config_id: 't' }, connection: call.connection, input: { text: 'again', times: 3 } }
    await lab.host.trigger(start, {
      signal,
      onEvent(event) {
        events.push(event)
        return Promise.resolve()
      },
    })
    expect(events.map(({ output }) => output)).toEqual([{ text: 'again' }, { text: 'again' }, { text: 'again' }])
  })
})

describe('without an index', () => {
  let bare: Awaited<ReturnType<typeof openLab>>
  beforeAll(async () => {
    bare = await openLab()
  })
  afterAll(() => bare.close())

  test('the interpreter of the configuration does, with the package on its path', async () => {
    const text = `#!/usr/bin/env python3
import json, sys
import beside
if sys.argv[1] == 'info':
    sys.exit(0)
sys.stdin.read()
print(json.dumps({'version': 'v1', 'type': 'action_event', 'body': {'status': 'ok', 'log': '', 'meta': {}, 'output': {'said': beside.said}}}))
`
    const laid: InstalledPlugin = bare.script('laid', text, {
      'beside.py': "said = 'from beside'\n",
      'requirements.txt': 'a-package-that-nobody-has-made==1.2.3\n',
    })
    await bare.host.prepare(laid, { signal })
    expect(await bare.act(laid)).toMatchObject({ status: 'ok', output: { said: 'from beside' } })
  })

  test('what cannot start without its requirements is refused, and says what is missing', async () => {
    const lost = bare.script('lost', '#!/usr/bin/env python3\nimport a_package_that_nobody_has_made\n', {
      'requirements.txt': 'a-package-that-nobody-has-made==1.2.3\n',
    })
    await expect(bare.host.prepare(lost, { signal })).rejects.toThrow(/cannot be installed .*a_package_that_nobody_has_made/s)
    expect(existsSync(`${bare.home}/data/plugin-work`)).toBe(true)
  })
})
