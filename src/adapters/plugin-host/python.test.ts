import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { openLab } from './plugin-lab.suite.ts'
import { listensAnywhere, wantedOf } from './python-runtime.ts'
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

describe('a package in Python', () => {
  let bare: Awaited<ReturnType<typeof openLab>>
  beforeAll(async () => {
    bare = await openLab()
  })
  afterAll(() => bare.close())

  const says = `import os, sys
from its_module import actions
sys.stdin.read()
print(actions.answer({'cwd': os.getcwd(), 'interpreter': os.environ.get('INTERPRETER', 'usual'), 'path': os.environ['PYTHONPATH'].split(':')}))
`
  const actions = `import json
answer = lambda output: json.dumps({'version': 'v1', 'type': 'action_event', 'body': {'status': 'ok', 'log': '', 'meta': {}, 'output': output}})
`

  test.each([
    { entry: 'bin/icon_x', modules: 'its_module' },
    { entry: 'workspace/bin/komand_x', modules: 'workspace/its_module' },
    { entry: 'python/src/bin/komand_x', modules: 'python/src/its_module' },
    { entry: 'usr/local/bin/komand_x', modules: 'python/src/its_module' },
    { entry: 'usr/local/bin/icon_x', modules: 'its_module' },
  ])('has its entry point at $entry, and its modules at $modules', async ({ entry, modules }) => {
    const plugin = bare.script(`laid_${entry.replaceAll('/', '_')}_${modules.replaceAll('/', '_')}`, '', {
      ...{ [entry]: `#!/usr/bin/env python\n${says}`, [`${modules}/__init__.py`]: '', [`${modules}/actions.py`]: actions },
      // What Python itself has there in an image.
      ...(entry.startsWith('usr') ? { 'usr/local/bin/pip': '#!/bin/sh\n' } : {}),
    })
    if (entry !== 'bin/icon_x') rmSync(join(bare.root, plugin.path ?? '', 'bin'), { recursive: true })
    else rmSync(join(bare.root, plugin.path ?? '', `bin/icon_${plugin.name}`))
    const { output, error } = await bare.act(plugin)
    expect(error).toBeNull()
    const { cwd, path } = output as { cwd: string; path: string[] }
    expect(path[0]).toBe(cwd)
  })

  test('is run by the interpreter whose version its first line names, where that is installed', async () => {
    const special = join(bare.home, 'python3.99')
    writeFileSync(special, '#!/bin/sh\nINTERPRETER=special exec python3 "$@"\n', { mode: 0o755 })
    const modules = { 'its_module/__init__.py': '', 'its_module/actions.py': actions }
    const asks = (name: string, line: string) => bare.act(bare.script(name, `#!${line}\n${says}`, modules))
    expect((await asks('asks', special)).output).toMatchObject({ interpreter: 'special' })
    expect((await asks('asks_more', '/usr/bin/env python3.98')).output).toMatchObject({ interpreter: 'usual' })
  })

  test.each([
    ['', ['komand'], 'komand'],
    ['requests==2.0\n# komand==1\n', ['-r', 'requirements.txt', 'komand'], 'komand'],
    ['Komand == 3.2.0 # pinned\n', ['-r', 'requirements.txt'], 'Komand == 3.2.0'],
    ['komand>=3,<4 ; python_version > "3"\n', ['-r', 'requirements.txt'], 'komand>=3,<4'],
    ['komand @ file:///x.whl\n', ['-r', 'requirements.txt'], 'komand'],
    ['komand-tools==1\n', ['-r', 'requirements.txt', 'komand'], 'komand'],
  ])('on komand that requires %j is given the runtime', (requirements, install, wanted) => {
    const files = { 'komand_w/action.py': 'import komand\n', 'requirements.txt': requirements }
    const folder = join(bare.root, bare.script('wants', '', files).path ?? '')
    expect(wantedOf(folder)).toEqual({ install, runtime: { module: 'komand', distribution: 'komand', wanted } })
    // One that brings its runtime along is given none.
    const whole = join(bare.root, bare.script('whole', '', { ...files, 'komand/__init__.py': '' }).path ?? '')
    expect(wantedOf(whole)).toMatchObject({ runtime: null, install: install.filter((word) => word !== 'komand') })
  })

  test('is known to listen on every address by the runtime that it loads', () => {
    const folder = (name: string, files: Readonly<Record<string, string>>) => join(bare.root, bare.script(name, '', files).path ?? '')
    const old = folder('old', { 'icon_old/action.py': 'import komand\n' })
    const [fresh, first] = ['fresh', 'first'].map((name) => folder(name, { 'icon_x/a.py': 'from insightconnect_plugin_runtime import Action\n' }))
    const environment = (text: string) => {
      const made = join(bare.home, `environment-${text.length}`)
      mkdirSync(join(made, 'lib/python3.11/site-packages/insightconnect_plugin_runtime'), { recursive: true })
      writeFileSync(join(made, 'lib/python3.11/site-packages/insightconnect_plugin_runtime/server.py'), text)
      return made
    }
    expect(listensAnywhere(old, 'none')).toBe(true)
    expect(listensAnywhere(fresh ?? '', 'none')).toBe(false)
    expect(listensAnywhere(fresh ?? '', environment('os.environ["GUNICORN_CONFIG_FILE"]'))).toBe(false)
    expect(listensAnywhere(first ?? '', environment('bind = "0.0.0.0"'))).toBe(true)
  })

  test('on komand, as one that is compiled, is called in processes of its own where plugins have no network of their own', async () => {
    const open = await openLab({ mechanisms: ['none'], unsandboxed: true })
    try {
      const plugin = open.script('heard', `#!/usr/bin/env python3\n${says}`, {
        ...{ 'its_module/__init__.py': '', 'its_module/actions.py': actions, 'its_module/more.py': 'import komand\n' },
      })
      expect(await open.host.serves(plugin, { signal })).toBe(false)
      expect(await open.act(plugin, { mode: 'warm' })).toMatchObject({ status: 'ok', output: { interpreter: 'usual' } })
      // What no interpreter that we know of runs is taken for one in Go.
      const compiled = open.script('compiled', `#!/usr/bin/perl\nprint q(${JSON.stringify({ body: { status: 'ok', error: '', output: {} } })})\n`)
      expect(await open.host.serves(compiled, { signal })).toBe(false)
      expect(await open.act(compiled, { mode: 'warm' })).toMatchObject({ status: 'ok', output: {} })
    } finally {
      await open.close()
    }
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
