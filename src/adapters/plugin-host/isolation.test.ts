import { createServer } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { document, openLab, secretText, shell } from './plugin-lab.suite.ts'
import type { AddressInfo } from 'node:net'
import type { PluginLab } from './plugin-lab.suite.ts'

// The story: somebody has a plugin installed that looks around and reaches out. It must get nothing of the server, of other plugins or of this host's network.

const bubblewrap = await openLab({ mechanisms: ['bubblewrap'] })
const weak = bubblewrap.host.weakness
await bubblewrap.close()
if (weak !== null && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('bwrap')) throw new Error(`bwrap is required: ${weak}`)
if (weak !== null) console.warn(`Tests of plugins kept apart are left out. ${weak}`)

const done = `printf '%s' ${document({ status: 'ok', output: {} })}`
const server = createServer((_, response) => response.end('the inner sanctum'))
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port // it listens on a port
})
afterAll(() => server.close())

describe.skipIf(weak !== null)('a hostile plugin', () => {
  let lab: PluginLab
  beforeAll(async () => {
    lab = await openLab({ limits: { fileBytes: 4 * 1024 * 1024, processes: 40 } })
  })
  afterAll(() => lab.close())

  test('reads nothing of the data folder, and no other package', async () => {
    lab.script('victim', '', { private: secretText })
    const text = `cat "${lab.home}/data/secret" "${lab.root}/victim/private" "/proc/1/root${lab.home}/data/secret" "/proc/${process.pid}/root${lab.home}/data/secret"; ls "${lab.home}/data"; find / -xdev -name secret -type f -exec cat {} + 2>/dev/null; for fd in /proc/*/fd/*; do timeout 0.1 head -c 200 "$fd" </dev/null; done 2>/dev/null | head -c 20000`
    const { log } = await lab.act(lab.script('reads', shell(`{ ${text}; } >&2; ${done}`)))
    expect(log).not.toContain(secretText)
    expect(log).toMatch(/No such file|Permission denied/)
  })

  test('sees nothing of the environment of the server', async () => {
    process.env.CAPSTAN_CANARY = secretText
    try {
      const { log } = await lab.act(lab.script('environment', shell(`env >&2; cat /proc/*/environ >&2; ${done}`)))
      expect(log).not.toContain(secretText)
      expect(log).not.toContain('CANARY')
      expect(log).toMatch(/^HOME=\/tmp$/m)
      expect(log).toMatch(/^SSL_CERT_FILE=/m)
    } finally {
      delete process.env.CAPSTAN_CANARY
    }
  })

  test('writes nowhere but in its temporary folder, and not without end', async () => {
    const text = `for path in / /code /usr /etc /var /plugin/relay /plugin/node; do if echo x >"$path/here"; then echo "breach: $path"; fi; done; echo ok >/tmp/mine && cat /tmp/mine; head -c 10000000 /dev/zero >/tmp/large; wc -c </tmp/large; for n in 1 2 3 4 5; do head -c 3000000 /dev/zero >/tmp/many$n; done; du -sk /tmp`
    const { log } = await lab.act(lab.script('writes', shell(`{ ${text}; } >&2; ${done}`)))
    expect(log).not.toContain('breach')
    expect(log).toMatch(/^ok$/m)
    expect(Number(/^(\d+)\t\/tmp$/m.exec(log)?.[1])).toBeLessThan(4200)
  })

  test('reaches nothing on loopback and nothing around the proxy; the proxy refuses it as well', async () => {
    const inside = lab.script(
      'reaches',
      `#!/usr/bin/env node
const say = async (what, act) => { try { process.stderr.write(what + ': ' + await act() + '\\n') } catch (error) { process.stderr.write(what + ': ' + error + ' ' + (error.cause ?? '') + '\\n') } }
const net = require('node:net')
const straight = (host, port) => new Promise((resolve, reject) => net.connect({ host, port, timeout: 2000 }).on('connect', () => resolve('breach')).on('error', reject).on('timeout', () => reject(new Error('late'))))
const http = require('node:http')
const proxied = (url) => new Promise((resolve, reject) => {
  const proxy = new URL(process.env.HTTP_PROXY)
  const headers = { 'proxy-authorization': 'Basic ' + Buffer.from(proxy.username + ':' + proxy.password).toString('base64') }
  http.get({ host: proxy.hostname, port: proxy.port, path: url, headers }, (answer) => { let text = ''; answer.on('data', (c) => (text += c)).on('end', () => resolve(answer.statusCode + ' ' + text)) }).on('error', reject)
})
;(async () => {
  await say('straight', () => straight('127.0.0.1', ${'$'}PORT))
  await say('outside', () => straight('192.0.2.1', 80))
  for (const host of ['127.0.0.1', 'localhost', '0.0.0.0', '[::1]', '169.254.169.254']) await say('proxied ' + host, () => proxied('http://' + host + ':${'$'}PORT/'))
  process.stdout.write(JSON.stringify({ version: 'v1', type: 'action_event', body: { log: '', meta: {}, status: 'ok', output: {} } }))
})()`.replaceAll('$PORT', String(port)),
    )
    const { status, log } = await lab.act(inside)
    expect(status).toBe('ok')
    expect(log).not.toMatch(/breach|sanctum/)
    expect(log.match(/^proxied .*: 403/gm)).toHaveLength(5)
  })

  test('goes where the operator lets it, through the proxy', async () => {
    const open = await openLab({ allow: ['127.0.0.0/8'] })
    try {
      const plugin = open.script('goes', shell(`curl -sS --noproxy '' http://127.0.0.1:${port}/ >&2; ${done}`))
      expect((await open.act(plugin)).log).toContain('the inner sanctum')
    } finally {
      await open.close()
    }
  })

  test('runs as a user of its own without rights, in a process table of its own', async () => {
    const { log } = await lab.act(
      lab.script(
        'rights',
        shell(
          `{ id -u; grep -E '^(Cap|NoNew)' /proc/self/status; kill -0 ${process.pid} && echo breach; ls /proc | grep -cE '^[0-9]+$'; } >&2; ${done}`,
        ),
      ),
    )
    expect(log).not.toMatch(/^0$|breach/m)
    expect(log).toMatch(/^CapEff:\t0+$/m)
    expect(log).toMatch(/^NoNewPrivs:\t1$/m)
  })

  test('cannot fork without end, nor take all memory', async () => {
    const bomb = `n=0; while [ $n -lt 300 ]; do sleep 5 & n=$((n+1)); echo "forked $n" >&2; done`
    expect((await lab.act(lab.script('bomb', shell(`${bomb}; ${done}`)))).log).not.toContain('forked 100\n')
    const small = await openLab({ limits: { memoryBytes: 300 * 1024 * 1024 } })
    try {
      const plugin = small.script(
        'eats',
        `#!/usr/bin/env python3\nimport sys\nsys.stdin.read()\ntext = b'x' * (600 * 1024 * 1024)\nsys.stderr.write('breach')\n`,
      )
      const answer = await small.act(plugin)
      expect(answer.status).toBe('error')
      expect(answer.log).not.toContain('breach')
    } finally {
      await small.close()
    }
  })

  test('keeps what it lays into its cache, where it has one', async () => {
    const plugin = { ...lab.script('caches', shell(`cat /var/cache/note >&2; echo kept >/var/cache/note; ${done}`)), cache: true }
    await lab.act(plugin)
    expect((await lab.act(plugin)).log).toContain('kept')
    await lab.host.forget(plugin)
    expect((await lab.act(plugin)).log).not.toContain('kept')
  })
})

describe('a package', () => {
  test.each(['..', '/etc', 'link', 'a/../../secret', '', '.'])('is looked for below the root only: not "%s"', async (path) => {
    const lab = await openLab()
    try {
      const { symlinkSync } = await import('node:fs')
      symlinkSync('/etc', `${lab.root}/link`)
      await expect(lab.host.readPackage(path)).rejects.toThrow('no such folder below the plugin root')
    } finally {
      await lab.close()
    }
  })
})
