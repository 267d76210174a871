import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDocker } from '../../../test/support/docker.ts'
import { startImageRegistry } from '../../../test/support/image-registry.ts'
import { startTlsEngine } from '../../../test/support/tls-engine.ts'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { certificatesIn } from '../docker/certificates.ts'
import { addressOf } from '../docker/engine.ts'
import { createEgress } from '../egress/egress.ts'
import { closedBecause } from './enter.ts'
import { document, openLab, shell } from './plugin-lab.suite.ts'
import type { TestDocker } from '../../../test/support/docker.ts'
import type { ImageRegistry } from '../../../test/support/image-registry.ts'
import type { InstalledPlugin, RegistryLogin } from '../../ports/plugin-host.ts'
import type { EngineAddress, EngineCertificates } from '../docker/engine.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

const started = await startDocker()
const missing = 'missing' in started ? started.missing : null
const docker = started as TestDocker // used only where it is one
const done = `printf '%s' ${document({ status: 'ok', output: { said: 'yes' } })}`

type Change = { allow?: readonly string[]; home?: string; address?: EngineAddress; login?: (registry: string) => Promise<RegistryLogin | null> }

function openEngineLab(change: Change = {}): Promise<PluginLab> {
  const { address = { socketPath: docker.socket }, allow = [], login, ...more } = change
  return openLab({ ...more, allow, engine: { address, egress: createEgress({ allow }), ...(login && { login }) } })
}

function plugin(image: string): InstalledPlugin {
  return { vendor: 'test', name: 'one', version: '1.0.0', runtime: 'container', path: null, image, cache: false }
}

const signal = new AbortController().signal

describe.skipIf(missing !== null)(`an engine and the images of plugins${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  afterAll(() => docker.stop())

  describe('before it is called', () => {
    let lab: PluginLab
    let registry: ImageRegistry
    beforeAll(async () => {
      lab = await openEngineLab({ allow: ['127.0.0.0/8'] })
      registry = await startImageRegistry(await docker.layer(shell(done)))
    })
    afterAll(async () => {
      registry.close()
      await lab.close()
    })

    test('its image is pulled once, and again when it has gone from the engine', async () => {
      const one = plugin(`${registry.host}/vendor/name:1.0.0`)
      await lab.host.prepare(one, { signal })
      const asked = registry.asked()
      expect(asked).toBeGreaterThan(0)
      await lab.host.prepare(one, { signal })
      expect(await lab.act(one)).toMatchObject({ status: 'ok', output: { said: 'yes' } })
      expect(registry.asked()).toBe(asked)
      await docker.call('DELETE', `/images/${one.image}`)
      expect(await lab.act(one)).toMatchObject({ status: 'ok' })
      expect(registry.asked()).toBeGreaterThan(asked)
    })

    test('an image that is nowhere is refused in the words of the engine', async () => {
      await expect(lab.host.prepare(plugin(`${registry.host}/vendor/name:missing`), { signal })).rejects.toThrow(/cannot be pulled: .+Check its name/)
      expect((await lab.act(plugin(`${registry.host}/vendor/name:missing`))).error).toContain('cannot be pulled')
    })

    test('a registry that plugins may not call is not called', async () => {
      const guarded = await openEngineLab()
      const asked = registry.asked()
      try {
        const inner = plugin(`${registry.host}/vendor/inner:1.0.0`)
        await expect(guarded.host.prepare(inner, { signal })).rejects.toThrow('may not be called from here')
        await expect(guarded.host.prepare(plugin('localhost/vendor/inner'), { signal })).rejects.toThrow('may not be called from here')
        expect(registry.asked()).toBe(asked)
      } finally {
        await guarded.close()
      }
    })
  })

  test('a registry that wants a login is given the one that is kept for it, and nobody else is', async () => {
    const login = { user: 'ann', password: 'pull-canary-4711' }
    const image = await docker.layer(shell(done))
    const [closed, open] = [await startImageRegistry(image, login), await startImageRegistry(image)]
    let kept: RegistryLogin | null = null
    const asked: string[] = []
    const lab = await openEngineLab({
      allow: ['127.0.0.0/8'],
      login: (registry) => {
        asked.push(registry)
        return Promise.resolve(registry === closed.host ? kept : null)
      },
    })
    try {
      const one = plugin(`${closed.host}/vendor/closed:1.0.0`)
      await expect(lab.host.prepare(one, { signal })).rejects.toThrow('cannot be pulled')
      kept = { ...login, password: 'not-the-password' }
      const wrong = await lab.host.prepare(one, { signal }).catch((error: Error) => error.message)
      expect(wrong).toContain('cannot be pulled')
      expect(wrong).not.toContain('not-the-password')
      kept = login
      await lab.host.prepare(one, { signal })
      expect(await lab.act(one)).toMatchObject({ status: 'ok', output: { said: 'yes' } })
      // It is asked for again when the image has gone.
      await docker.call('DELETE', `/images/${one.image}`)
      expect(await lab.act(one)).toMatchObject({ status: 'ok' })
      await lab.host.prepare(plugin(`${open.host}/vendor/open:1.0.0`), { signal })
      expect(new Set(asked)).toEqual(new Set([closed.host, open.host]))
    } finally {
      for (const registry of [closed, open]) registry.close()
      await lab.close()
    }
  }, 60_000)

  test('an engine elsewhere is spoken to over TLS: each side knows the other by its certificate', async () => {
    const far = await startTlsEngine(docker.socket)
    const at = (host: string, tls: EngineCertificates | null): EngineAddress => ({ host, port: far.port, tls })
    const folder = mkdtempSync('/var/tmp/capstan-certificates-')
    for (const [name, text] of Object.entries(far.certificates)) writeFileSync(join(folder, `${name}.pem`), text)
    const configured = addressOf(`tcp://127.0.0.1:${far.port}`, certificatesIn(folder)) as EngineAddress
    rmSync(folder, { recursive: true })
    const image = await docker.image('far', shell(done))
    const said = async (address: EngineAddress) => {
      const lab = await openEngineLab({ address })
      try {
        return await lab.act(plugin(image))
      } finally {
        await lab.close()
      }
    }
    try {
      expect(await said(configured)).toMatchObject({ status: 'ok', output: { said: 'yes' } })
      expect(await said(at('localhost', far.certificates))).toMatchObject({ status: 'ok' })
      const refused = { status: 'error', error: expect.stringContaining('does not answer') }
      // No encryption, a certificate of nobody we trust, one that shows somebody else, and a name that is not the engine's.
      expect(await said(at('127.0.0.1', null))).toMatchObject(refused)
      expect(await said(at('127.0.0.1', { ...far.certificates, ca: far.others.ca }))).toMatchObject(refused)
      expect(await said(at('127.0.0.1', { ...far.others, ca: far.certificates.ca }))).toMatchObject(refused)
      expect(await said(at('127.0.0.2', far.certificates))).toMatchObject(refused)
    } finally {
      far.close()
    }
  }, 60_000)

  test('a server killed in the middle of a call leaves nothing that its successor does not remove, and of others it touches nothing', async () => {
    const home = mkdtempSync('/var/tmp/capstan-plugins-')
    const image = await docker.image('held', shell('HOLDS=yes sleep 600'))
    const body = { Image: image, Labels: { 'capstan.plugin-host': '0000', 'capstan.server': 'x' } }
    await docker.call('POST', '/containers/create?name=somebody-elses', body)
    const server = spawn(process.execPath, [join(import.meta.dirname, 'container-server.suite.ts'), home, docker.socket, image], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      // It sleeps once it has its message, and that is written when all else is ready.
      await until('the call is under way', () => processesWith('HOLDS=yes').length > 0)
      if (closedBecause(true) === null) expect(workingIn(home)).toBe(1)
      const gone = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await gone
      await until('what led into its network is gone', () => workingIn(home) === 0)
      const next = await openEngineLab({ home })
      try {
        expect(await docker.containers()).toEqual(['somebody-elses'])
      } finally {
        await next.close()
      }
    } finally {
      server.kill('SIGKILL')
      await docker.call('DELETE', '/containers/somebody-elses?force=1')
      rmSync(home, { recursive: true, force: true })
    }
  })

  test('an engine that hangs keeps nobody who calls off, and what it held meanwhile is removed before the next call', async () => {
    const lab = await openEngineLab()
    try {
      const abort = new AbortController()
      const call = lab.act(plugin(await docker.image('sleeps', shell('ASLEEP=yes sleep 600'))), {}, abort.signal)
      await until('it sleeps', () => processesWith('ASLEEP=yes').length > 0)
      docker.freeze()
      abort.abort(new Error('no more'))
      await expect(call).rejects.toThrow('no more')
      docker.thaw()
      expect((await lab.act(plugin(await docker.image('quick', shell(done))))).status).toBe('ok')
      expect(await docker.containers()).toEqual([])
    } finally {
      docker.thaw()
      await lab.close()
    }
  }, 60_000)

  test('an engine that stops in the middle of a call ends the call', async () => {
    const second = await startDocker()
    if ('missing' in second) throw new Error(second.missing)
    const lab = await openEngineLab({ address: { socketPath: second.socket } })
    try {
      const call = lab.act(plugin(await second.image('sleeps', shell('sleep 600'))))
      await until('it runs', async () => (await second.containers()).length > 0)
      await second.stop()
      expect((await call).status).toBe('error')
    } finally {
      await second.stop()
      await lab.close()
    }
  })
})

test('an engine that is not there keeps nobody from starting, and calls say so', async () => {
  const lab = await openEngineLab({ address: { socketPath: '/nonexistent/docker.sock' } })
  try {
    expect((await lab.act(plugin('vendor/name:1.0.0'))).error).toContain('The Docker engine does not answer')
    await expect(lab.host.prepare(plugin('vendor/name:1.0.0'), { signal })).rejects.toThrow('does not answer')
    await lab.host.forget(plugin('vendor/name:1.0.0'))
  } finally {
    await lab.close()
  }
})

/** How many processes of this host stand in a folder below this one. */
function workingIn(home: string): number {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${home}/`)
    } catch {
      return false
    }
  }).length
}
