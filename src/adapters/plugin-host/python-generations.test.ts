import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { openLab } from './plugin-lab.suite.ts'
import type { InstalledPlugin, PluginAnswer, PluginCall, PluginEvent } from '../../ports/plugin-host.ts'

// One plugin of the older generation, as it is and moved to the runtimes that came after it. Each gets an environment of its own from a package index.

const signal = new AbortController().signal
const required = (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('python')
const lab = await openLab({ allow: ['0.0.0.0/0', '::/0'] })
afterAll(() => lab.close())

type Generation = { readonly name: string; readonly requirement: string | null; readonly raises: boolean }

const generations: readonly Generation[] = [
  // Nothing but its imports says what it is written for: images of that time brought it along.
  { name: 'komand', requirement: null, raises: false },
  { name: 'insightconnect-plugin-runtime 4', requirement: 'insightconnect-plugin-runtime==4.10.1', raises: true },
  { name: 'the newest insightconnect-plugin-runtime', requirement: 'insightconnect-plugin-runtime', raises: true },
]

const secretKey = 'a-key-that-is-long'
const connection = { key: 'roof', parameters: { station: 'roof', key: { secretKey } } }
const meta = { workflow_uid: 'w', workflow_version_uid: 'v', step_uid: 's' }

describe.each(generations)('a plugin on $name', ({ requirement, raises }) => {
  let plugin: InstalledPlugin
  let missing: string | null = null
  beforeAll(async () => {
    plugin = laid(requirement)
    missing = await lab.host.prepare(plugin, { signal }).then(
      () => null,
      (error: unknown) => {
        if (error instanceof PluginRefused) return error.message
        throw error
      },
    )
    if (missing !== null && required) throw new Error(`python is required: ${missing}`)
    if (missing !== null) console.warn(`Tests of ${requirement ?? 'komand'} are left out. ${missing}`)
  }, 600_000)

  const act = (name: string, input: PluginCall['input'], mode: PluginCall['mode'], more: Partial<PluginCall> = {}): Promise<PluginAnswer> =>
    lab.act(plugin, { name, input, mode, meta, connection, timeoutMs: 120_000, ...more })

  test('stays between calls in http mode', async ({ skip }) => {
    if (missing !== null) skip()
    expect(await lab.host.serves(plugin, { signal })).toBe(true)
  })

  describe.each(['cold', 'warm'] as const)('called %s', (mode) => {
    test('answers, with what its log says', async ({ skip }) => {
      if (missing !== null) skip()
      const answer = await act('average', { values: [1, 2, 4.5], unit: 'm', digits: 1 }, mode)
      expect(answer).toMatchObject({ status: 'ok', error: null, output: { average: 2.5, text: '2.5 m', given: ['digits', 'unit', 'values'] } })
      if (mode === 'cold') expect(answer.log).toContain('example/Old Habits:1.0.0. Step name: average\n')
    })

    test('prints before it answers', async ({ skip }) => {
      if (missing !== null) skip()
      const answer = await act('chatter', { lines: 2 }, mode)
      expect(answer).toMatchObject({ status: 'ok', output: { said: 2 } })
      if (mode === 'cold') expect(answer.log).toMatch(/line 1 of .*line 2 of .*answering now: /s)
    })

    test('fails on purpose with cause, assistance and data', async ({ skip }) => {
      if (missing !== null) skip()
      const answer = await act('refuse', { reason: 'storm' }, mode)
      expect(answer.error).toMatch(
        /^An error occurred during plugin execution!\s+The station is closed\. Come again tomorrow\. Response was:? storm$/,
      )
      // The older package tells it in the text alone.
      expect(answer.exception).toEqual(raises ? { cause: 'The station is closed.', assistance: 'Come again tomorrow.', data: 'storm' } : null)
    })

    test('breaks off in the middle of its document', async ({ skip }) => {
      if (missing !== null) skip()
      const answer = await act('tangle', { loose: true }, mode)
      expect(answer).toMatchObject({ status: 'error', output: null })
      expect(answer.error).toMatch(mode === 'cold' ? /^TypeError: .*not JSON serializable/ : /^the plugin answered 500 and no message$/)
    })

    test('refuses wrong input in the words that clients match on', async ({ skip }) => {
      if (missing !== null) skip()
      expect((await act('average', {}, mode)).error).toContain(`'values' is a required property`)
      expect((await act('chatter', { lines: 'two' }, mode)).error).toContain(`'two' is not of type 'integer'`)
      expect((await act('nope', {}, mode)).error).toContain('Unknown action "nope"')
    })

    test('tries its connection', async ({ skip }) => {
      if (missing !== null) skip()
      const tried = (key: string) =>
        act('average', {}, mode, { what: 'test', connection: { key, parameters: { station: 'roof', key: { secretKey: key } } } })
      expect(await tried('long enough')).toMatchObject({ status: 'ok' })
      expect((await tried('short')).error).toMatch(
        /^Connection test failed!\s+The key has too few letters\. Use one of 6 and more\. Response was:? roof$/,
      )
    })
  })

  test('posts the events of its trigger, each with its own log', async ({ skip }) => {
    if (missing !== null) skip()
    const events: PluginEvent[] = []
    const start = { plugin, name: 'poll', meta: { trigger_config_id: 't' }, connection, input: { values: [3, 1, 2] } }
    await lab.host.trigger(start, {
      signal,
      onEvent(event) {
        events.push(event)
        return Promise.resolve()
      },
    })
    expect(events.map(({ output }) => output)).toEqual([3, 1, 2].map((value) => ({ value, station: 'roof' })))
    if (!raises) expect(events.map(({ log }) => log.trimEnd().split('\n').at(-1))).toEqual(['Poll: 3 at roof', 'Poll: 1 at roof', 'Poll: 2 at roof'])
    expect(events.map(({ log }) => log).join('')).not.toContain('\0')
  })
})

/** The sample of the older generation; moved to its successor when one is required. */
function laid(requirement: string | null): InstalledPlugin {
  const old = lab.sample('old_habits')
  if (requirement === null) return old
  const name = `old_habits_${requirement.replaceAll(/[^0-9]/g, '')}`
  const from = join(lab.root, 'old_habits')
  for (const file of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const text = readFileSync(join(file.parentPath, file.name), 'utf8')
    const to = join(file.parentPath.replace(from, join(lab.root, name)).replaceAll('komand_', 'icon_'), file.name.replaceAll('komand_', 'icon_'))
    mkdirSync(join(to, '..'), { recursive: true })
    writeFileSync(to, text.replaceAll('komand_', 'icon_').replaceAll(/\bkomand\b/g, 'insightconnect_plugin_runtime'), { mode: 0o755 })
  }
  writeFileSync(join(lab.root, name, 'requirements.txt'), `# The runtime.\n${requirement}\n`)
  return { ...old, name, path: name }
}
