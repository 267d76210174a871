import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDocker } from '../../../test/support/docker.ts'
import { until } from '../../../test/support/until.ts'
import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { createEgress } from '../egress/egress.ts'
import { closedBecause } from './enter.ts'
import { readReference } from './image.ts'
import { document, openLab, shell } from './plugin-lab.suite.ts'
import type { TestDocker } from '../../../test/support/docker.ts'
import type { InstalledPlugin } from '../../ports/plugin-host.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

const started = await startDocker()
const missing = 'missing' in started ? started.missing : null
const docker = started as TestDocker // used only where it is one
const fine = document({ status: 'ok', output: { said: 'yes' }, log: 'from inside\n' })
const done = `printf '%s' ${fine}`
type Change = NonNullable<Parameters<typeof openLab>[0]>

function openEngineLab(change: Change = {}): Promise<PluginLab> {
  const egress = createEgress({ allow: change.allow ?? [] })
  return openLab({ ...change, engine: { address: { socketPath: docker.socket }, egress } })
}

async function imageOf(name: string, entry: string): Promise<InstalledPlugin> {
  const image = await docker.image(name, entry)
  return { vendor: 'test', name, version: '1.0.0', runtime: 'container', path: null, image, cache: false }
}

describe.skipIf(missing !== null)(`a plugin that is an image${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: PluginLab
  beforeAll(async () => {
    lab = await openEngineLab({ limits: { graceMs: 1_000, outputBytes: 200_000 } })
  })
  afterAll(async () => {
    await lab.close()
    await docker.stop()
  })

  describe('is called in a container of its own', () => {
    test('the message comes on standard input, the answer from standard output, and nothing is left', async () => {
      const plugin = await imageOf('echo', `#!/bin/sh\nprintf 'asked for %s: ' "$1" >&2; cat >&2; ${done}`)
      const answer = await lab.act(plugin, { name: 'say', meta: { step_uid: 'x' }, input: { text: 'häh' } })
      const body = { action: 'say', meta: { step_uid: 'x' }, connection: {}, input: { text: 'häh' } }
      expect(answer).toMatchObject({ status: 'ok', output: { said: 'yes' } })
      expect(answer.log).toBe(`from inside\nasked for run: ${JSON.stringify({ version: 'v1', type: 'action_start', body })}\n`)
      const tested = await lab.act(plugin, { what: 'test', name: 'say', connection: { key: 'k', parameters: { token: 't0k3n' } } })
      expect(tested.log).toContain('asked for test')
      expect(tested.log).toContain('t0k3n')
      expect(await docker.containers()).toEqual([])
    })

    test('of a message of megabytes nothing is lost, nor of an answer', async () => {
      const wide = await openEngineLab()
      try {
        const plugin = await imageOf('wide', shell(`printf '%s' "$message" | wc -c >&2; head -c 3000000 /dev/zero | tr '\\0' x; echo; ${done}`))
        const answer = await wide.act(plugin, { input: { text: 'y'.repeat(2_000_000) } })
        expect(answer.status).toBe('ok')
        expect(Number(/^(\d+)$/m.exec(answer.log)?.[1])).toBeGreaterThan(2_000_000)
      } finally {
        await wide.close()
      }
    })

    test('the status of the document is believed, and without one the last line of standard error or the end tells why', async () => {
      expect(await lab.act(await imageOf('codes', shell(`${done}; exit 1`)))).toMatchObject({ status: 'ok', output: { said: 'yes' } })
      const half = await lab.act(await imageOf('half', shell(`printf '{"version":"v1","body":'; echo 'TypeError: oh' >&2; exit 1`)))
      expect(half).toMatchObject({ status: 'error', error: 'TypeError: oh', output: null })
      expect((await lab.act(await imageOf('mute', shell('exit 3')))).error).toBe('the plugin ended with 3 and gave no answer')
      expect((await lab.act(await imageOf('dies', shell('kill -KILL $$')))).error).toBe('the plugin ended by SIGKILL and gave no answer')
    })

    test('one that takes too long is asked to end, then ended with all that it started', async () => {
      const hangs = await imageOf('hangs', shell(`trap '' TERM\nsleep 600 &\nsleep 600`))
      expect(await lab.act(hangs, { timeoutMs: 1_000 })).toMatchObject({ status: 'error', error: 'plugin timed out after 1 seconds' })
      const polite = await imageOf('polite', shell(`trap 'echo "asked to end" >&2; exit 0' TERM\nsleep 600 & wait`))
      expect((await lab.act(polite, { timeoutMs: 1_000 })).log).toContain('asked to end')
      expect(await docker.containers()).toEqual([])
    })

    test('output beyond the limit ends it', async () => {
      const answer = await lab.act(await imageOf('floods', shell('yes | head -c 3000000; sleep 600')))
      expect(answer).toMatchObject({ status: 'error', error: expect.stringContaining('said more than') })
      expect(await docker.containers()).toEqual([])
    })

    test('one that is called off rejects with the reason, and nothing is left of it', async () => {
      const abort = new AbortController()
      const call = lab.act(await imageOf('sleeps', shell('sleep 600')), {}, abort.signal)
      await until('it runs', async () => (await docker.containers()).length > 0)
      abort.abort(new Error('no more'))
      await expect(call).rejects.toThrow('no more')
      expect(await docker.containers()).toEqual([])
    })

    test('the server stops: a call under way is interrupted, and nothing is left of it', async () => {
      const stopped = await openEngineLab()
      const outcome = stopped.act(await imageOf('sleeps', shell('sleep 600'))).catch((error: unknown) => error)
      await until('it runs', async () => (await docker.containers()).length > 0)
      await stopped.close()
      expect(await outcome).toBeInstanceOf(PluginInterrupted)
      expect(await docker.containers()).toEqual([])
    })

    test('an image without a program for its verbs says so', async () => {
      const answer = await lab.act(await imageOf('noise', '\u0001\u0002'))
      expect(answer.status).toBe('error')
      expect(await docker.containers()).toEqual([])
    })

    test('verbs can be said to it, and it is never taken for one that serves', async () => {
      const plugin = await imageOf('info', `#!/bin/sh\necho "this is $1"`)
      const signal = new AbortController().signal
      expect(await lab.host.say(plugin, ['info'], { input: '', timeoutMs: 30_000, signal })).toMatchObject({ code: 0, out: 'this is info\n' })
      expect(await lab.host.serves(plugin, { signal })).toBe(false)
      expect((await lab.act(plugin, { mode: 'warm' })).log).not.toContain('http')
    })
  })

  describe('is kept apart', () => {
    test('it has no rights, no new ones, no files to write but temporary ones, and nothing of the environment of the server', async () => {
      const look = `{ grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status; env; touch /bin/x && echo breach; touch /var/cache/x && echo breach; touch /tmp/x && echo wrote; ls /sys/class/net; } >&2`
      const { log, status } = await lab.act(await imageOf('rights', shell(`${look}; ${done}`)))
      expect(status).toBe('ok')
      expect(log).toMatch(/^CapEff:\t0+$/m)
      expect(log).toMatch(/^CapBnd:\t0+$/m)
      expect(log).toMatch(/^NoNewPrivs:\t1$/m)
      expect(log).toMatch(/^wrote$/m)
      expect(log).not.toMatch(/breach|CAPSTAN|^eth/m)
    })

    test('it cannot fork without end, nor take all memory, nor fill the disk', async () => {
      const small = await openEngineLab({ limits: { memoryBytes: 64 * 1024 * 1024, processes: 40, fileBytes: 4 * 1024 * 1024 } })
      try {
        const bomb = `n=0; while [ $n -lt 100 ]; do sleep 5 & n=$((n+1)); echo "forked $n" >&2; done`
        expect((await small.act(await imageOf('bomb', shell(`${bomb}; ${done}`)))).log).not.toContain('forked 60\n')
        const eats = await small.act(await imageOf('eats', shell(`head -c 200000000 /dev/zero | tail -c 200000000 | wc -c; exit 1`)))
        expect(eats).toMatchObject({ status: 'error', error: 'The plugin needed more than 64 MiB of memory' })
        const fills = await small.act(await imageOf('fills', shell(`head -c 9000000 /dev/zero >/tmp/x || echo "full" >&2; ${done}`)))
        expect(fills.log).toMatch(/full/)
      } finally {
        await small.close()
      }
    })

    test('it keeps what it lays into its cache, where it has one, until it is forgotten', async () => {
      const plugin = { ...(await imageOf('caches', shell(`cat /var/cache/note >&2; echo kept >/var/cache/note; ${done}`))), cache: true }
      expect((await lab.act(plugin)).log).not.toContain('kept')
      expect((await lab.act(plugin)).log).toContain('kept')
      await lab.host.forget(plugin)
      expect((await lab.act(plugin)).log).not.toContain('kept')
    })
  })

  describe.skipIf(closedBecause(true) !== null)('reaches the world through the proxy only', () => {
    let port = 0
    const server = createServer((_, response) => void response.end('the inner sanctum'))
    beforeAll(async () => {
      await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
      port = (server.address() as { port: number }).port
    })
    afterAll(() => void server.close())
    const get = `timeout 5 wget -qO- "http://127.0.0.1:$port/" >&2 || echo failed >&2`
    const entry = () =>
      shell(
        `port=${port}; unset NO_PROXY no_proxy; ${get}; env -u http_proxy -u HTTP_PROXY sh -c '${get.replaceAll('$port', String(port))}' 2>/dev/null && echo straight >&2; ${done}`,
      )

    test('what the guard refuses is refused', async () => {
      const { log, status } = await lab.act(await imageOf('reaches', entry()))
      expect(status).toBe('ok')
      expect(log).toContain('403')
      expect(log).not.toContain('sanctum')
    })

    test('where the operator lets it, it goes', async () => {
      const open = await openEngineLab({ allow: ['127.0.0.0/8'] })
      try {
        expect((await open.act(await imageOf('goes', entry()))).log).toContain('the inner sanctum')
      } finally {
        await open.close()
      }
    })

    test('a trigger tells of its events, one after the other', async () => {
      const post = (n: number) =>
        `wget -qO- --post-data '{"version":"v1","type":"trigger_event","body":{"output":{"n":${n}},"log":""}}' "$url" >/dev/null`
      const url = `url=$(printf '%s' "$message" | sed 's/.*"dispatcher":{"url":"\\([^"]*\\)".*/\\1/')`
      const plugin = await imageOf(
        'watches',
        shell(`export NO_PROXY=127.0.0.1; unset http_proxy HTTP_PROXY; ${url}; ${post(1)}; ${post(2)}; sleep 600`),
      )
      const stop = new AbortController()
      const seen: unknown[] = []
      const over = lab.host.trigger(
        { plugin, name: 'watch', meta: {}, connection: null, input: {} },
        { signal: stop.signal, onEvent: (event) => Promise.resolve(void seen.push(event.output)) },
      )
      await until('two events came', () => seen.length === 2)
      stop.abort()
      expect((await over).status).toBe('ok')
      expect(seen).toEqual([{ n: 1 }, { n: 2 }])
      expect(await docker.containers()).toEqual([])
    })
  })
})

test.each(['', 'a/B', '-v', 'a b', 'x:y:z', '../x', 'vendor/name:1.0.0?x=1', 'a/./b', 'x@sha256:1', 'a/'.repeat(300)])(
  'the name of an image is none: "%s"',
  (text) => {
    expect(() => readReference(text)).toThrow('is not the name of an image')
  },
)

test('an image without a tag is the latest, never all of them', () => {
  expect(readReference('vendor/name')).toMatchObject({ tag: 'latest', whole: 'vendor/name:latest' })
  expect(readReference('127.0.0.1:5000/vendor/name:1.0')).toMatchObject({ name: '127.0.0.1:5000/vendor/name', tag: '1.0' })
})

test('a registry is what an engine would take for one', () => {
  const registries = ['vendor/name', 'name:1', 'inner.example/name', '10.0.0.1:5000/name', 'localhost/name', 'Inner/name'].map(
    (text) => readReference(text).registry,
  )
  expect(registries).toEqual([null, null, 'inner.example', '10.0.0.1:5000', 'localhost', 'Inner'])
})

test('an engine on another machine gives no way into its networks', () => {
  expect(closedBecause(false)).toBe('the Docker engine is on another machine')
})
