import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../core/kernel/log.ts'
import { RemoteFailed } from '../../ports/mirror.ts'
import type { Remote } from '../../ports/mirror.ts'
import { createEgress } from '../egress/egress.ts'
import { createEgressProxy } from '../egress/proxy.ts'
import { hasHg, hgCommit, hgOut, hgProcesses, openHgLab } from './hg-lab.suite.ts'
import type { HgLab } from './hg-lab.suite.ts'

const signal = new AbortController().signal
const noCommands = async () => {}

async function remoteAt(url: string, credentials: Remote['credentials'] = null): Promise<Remote> {
  const egress = createEgress({ allow: ['127.0.0.1/32'], lookup: async (name) => [{ address: name === 'inner.test' ? '127.0.0.2' : '127.0.0.1' }] })
  const proxy = createEgressProxy({ egress, log: silentLog })
  onTestFinished(() => proxy.close())
  const { hostname, port } = new URL(url)
  const pass = await proxy.open({ scheme: 'http', host: hostname, port: Number(port || 80), purpose: 'git' }, { limitBytes: 100_000_000 })
  return { url, credentials, pass }
}

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://repo.test:${(server.address() as AddressInfo).port}`
}

/** Somebody's own repository, served by their own hg. */
async function served(lab: HgLab) {
  const copy = `${lab.home}/there`
  await mkdir(copy)
  await hgOut(copy, ['init'])
  const first = await hgCommit(copy, { a: 'one\n' })
  await hgOut(copy, ['tag', '-q', 'v1'])
  const child = spawn('hg', ['serve', '-v', '-a', '127.0.0.1', '-p', '0'], {
    cwd: copy,
    env: { PATH: '/usr/bin:/bin', HGRCPATH: '', HGPLAIN: '1', PYTHONUNBUFFERED: '1' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const port = await new Promise<number>((resolve, reject) => {
    let said = ''
    const hear = (text: Buffer) => {
      said += text
      const found = /(?:127\.0\.0\.1|localhost|bound to [^:]*):(\d+)/.exec(said)
      if (found) resolve(Number(found[1]))
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', () => reject(new Error(`hg serve ended: ${said}`)))
  })
  return { copy, first, url: `http://repo.test:${port}/` }
}

describe.skipIf(!hasHg())('pulling with Mercurial', () => {
  test('a copy has the branches and tags of the remote, and a pull brings what came since', async () => {
    const lab = await openHgLab()
    const { copy, first, url } = await served(lab)
    const remote = await remoteAt(url)
    await lab.hg.probe(remote, { signal })
    await lab.hg.copy('here', remote, { signal })
    const before = await lab.hg.refs('here')
    expect(before.get('refs/tags/v1')).toBe(first)
    const to = await hgCommit(copy, { b: 'two\n' })
    const told: unknown[] = []
    const changes = [{ ref: 'refs/heads/default', from: before.get('refs/heads/default'), to }]
    expect(await lab.hg.pull('here', { remote }, { signal, onCommands: async (commands) => void told.push(commands) })).toEqual({
      changes,
      skipped: [],
    })
    expect(told).toEqual([changes])
    expect((await lab.hg.refs('here')).get('refs/heads/default')).toBe(to)
    expect(await lab.hg.pull('here', { remote }, { signal, onCommands: noCommands })).toEqual({ changes: [], skipped: [] })
    await hgOut(lab.path('here'), ['verify', '-q'])
  })

  test('a pull that is refused is rolled back', async () => {
    const lab = await openHgLab()
    const { copy, url } = await served(lab)
    const remote = await remoteAt(url)
    await lab.hg.copy('here', remote, { signal })
    const before = await lab.hg.refs('here')
    await hgCommit(copy, { b: 'two\n' })
    await expect(lab.hg.pull('here', { remote }, { signal, onCommands: () => Promise.reject(new Error('no')) })).rejects.toThrow('no')
    expect(await lab.hg.refs('here')).toEqual(before)
  })

  test('a pull from other storage of ours needs no network', async () => {
    const lab = await openHgLab()
    const { copy, url } = await served(lab)
    const remote = await remoteAt(url)
    await lab.hg.copy('parent', remote, { signal })
    await lab.hg.fork('here', 'parent')
    const to = await hgCommit(copy, { b: 'two\n' })
    await lab.hg.pull('parent', { remote }, { signal, onCommands: noCommands })
    const pulled = await lab.hg.pull('here', { storage: 'parent' }, { signal, onCommands: noCommands })
    expect(pulled).toMatchObject({ changes: [{ ref: 'refs/heads/default', to }] })
  })

  test('name and password reach the remote, stand in no argument of any process, and no file is left', async () => {
    const lab = await openHgLab()
    const heard: (string | undefined)[] = []
    let seen = ''
    const url = await listen((asked, answer) => {
      heard.push(asked.headers.authorization)
      for (const pid of hgProcesses(lab.root)) seen += readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    })
    const remote = await remoteAt(`${url}/a`, { user: 'ann', password: 'canary-password' })
    await expect(lab.hg.probe(remote, { signal })).rejects.toThrow(/wants a name and password/)
    expect(heard).toContain(`Basic ${Buffer.from('ann:canary-password').toString('base64')}`)
    expect(seen).toContain('identify')
    expect(seen).not.toContain('canary')
    expect(seen).not.toContain(remote.pass.password)
    expect((await readdir(lab.root, { recursive: true })).filter((name) => name.includes('remote-'))).toEqual([])
  })

  test('nothing is asked of another host, of an inner address or by another protocol, and nothing is left behind', async () => {
    const lab = await openHgLab()
    let inner = 0
    const secret = await listen((_, answer) => answer.end(`hit ${++inner}`))
    const away = await listen((asked, answer) => answer.writeHead(302, { location: `${secret.replace('repo.test', 'else.test')}${asked.url}` }).end())
    await expect(lab.hg.copy('here', await remoteAt(`${away}/a`), { signal })).rejects.toThrow(/led to another host/)
    await expect(lab.hg.copy('here', await remoteAt('http://inner.test/a'), { signal })).rejects.toThrow(/may not be called/)
    const page = await listen((_, answer) => answer.end('<html>'))
    await expect(lab.hg.copy('here', await remoteAt(`${page}/a`), { signal })).rejects.toThrow(RemoteFailed)
    for (const address of ['ssh://-oProxyCommand=touch%20LEAK/a', 'file:///etc', '/etc', '--config=ui.ssh=x', 'bundle:///a', 'http://-x/a']) {
      const remote = { ...(await remoteAt('http://repo.test:9/a')), url: address.replace('LEAK', `${lab.home}/leak`) }
      await expect(lab.hg.copy('here', remote, { signal }), address).rejects.toThrow(RemoteFailed)
    }
    expect(inner).toBe(0)
    expect(existsSync(`${lab.home}/leak`)).toBe(false)
    expect((await readdir(lab.root)).filter((name) => name.startsWith('.new') || name.endsWith('.hg'))).toEqual([])
  })
})
