import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../core/kernel/log.ts'
import { RemoteFailed } from '../../ports/mirror.ts'
import type { Remote } from '../../ports/mirror.ts'
import { createEgress } from '../egress/egress.ts'
import { createEgressProxy } from '../egress/proxy.ts'
import { below, commit, gitOut, gitProcesses, host, openLab, until } from './git-lab.suite.ts'
import type { Lab } from './git-lab.suite.ts'

const signal = new AbortController().signal
const noCommands = async () => {}

/** Where `url` is reached through the proxy; every name means 127.0.0.1, which alone may be called. */
async function remoteAt(url: string, credentials: Remote['credentials'] = null): Promise<Remote> {
  const egress = createEgress({ allow: ['127.0.0.1/32'], lookup: async (name) => [{ address: name === 'inner.test' ? '127.0.0.2' : '127.0.0.1' }] })
  const proxy = createEgressProxy({ egress, log: silentLog })
  onTestFinished(() => proxy.close())
  const { hostname, port, protocol } = new URL(url)
  const scheme = protocol === 'https:' ? 'https' : 'http'
  const pass = await proxy.open({ scheme, host: hostname, port: Number(port || 80), purpose: 'git' }, { limitBytes: 100_000_000 })
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

/** A repository `there` with two branches and a tag, served over HTTP. */
async function served(lab: Lab) {
  const { port } = await host(lab.git)
  await lab.git.create('there')
  const copy = await lab.working()
  const push = (...refs: string[]) => gitOut(copy, ['push', '-q', '-f', lab.path('there'), ...refs])
  await gitOut(copy, ['tag', '-a', '-m', 'first', 'v1'])
  await push('HEAD:refs/heads/main', 'HEAD:refs/heads/topic/a', 'v1')
  await lab.git.setHead('there', 'refs/heads/main')
  return { copy, push, url: `http://repo.test:${port}/there` }
}

test('a copy has the branches, the tags and the default branch of the remote', async () => {
  const lab = await openLab()
  const { url } = await served(lab)
  await lab.git.copy('here', await remoteAt(url), { signal })
  expect(await lab.git.refs('here')).toEqual(await lab.git.refs('there'))
  expect(await lab.git.head('here')).toBe('refs/heads/main')
  await gitOut(lab.path('here'), ['fsck', '--full', '--strict'])
})

test('an empty remote becomes an empty repository', async () => {
  const lab = await openLab()
  const { port } = await host(lab.git)
  await lab.git.create('there')
  await lab.git.copy('here', await remoteAt(`http://repo.test:${port}/there`), { signal })
  expect(await lab.git.refs('here')).toEqual(new Map())
})

test('a pull makes branches what they are there, against their history too, and follows no tag and no deletion', async () => {
  const lab = await openLab()
  const { copy, push, url } = await served(lab)
  const remote = await remoteAt(url)
  await lab.git.copy('here', remote, { signal })
  const before = await lab.git.refs('here')
  await gitOut(copy, ['checkout', '-q', '--orphan', 'other'])
  const to = await commit(copy, { 'b.txt': 'two\n' })
  await gitOut(copy, ['tag', 'v2'])
  await push('HEAD:refs/heads/main', 'HEAD:refs/heads/fresh', 'v2', ':refs/heads/topic/a')
  const told: unknown[] = []
  const pulled = await lab.git.pull('here', { remote }, { signal, onCommands: async (commands) => void told.push(commands) })
  const changes = [
    { ref: 'refs/heads/fresh', from: null, to },
    { ref: 'refs/heads/main', from: before.get('refs/heads/main'), to },
  ]
  expect(pulled).toEqual({ changes, skipped: [] })
  expect(told).toEqual([changes])
  expect(await lab.git.refs('here')).toEqual(new Map([...before, ['refs/heads/main', to], ['refs/heads/fresh', to]]))
  expect(await lab.git.pull('here', { remote }, { signal, onCommands: noCommands })).toEqual({ changes: [], skipped: [] })
})

test('a pull that is refused when everything is here leaves every branch as it is', async () => {
  const lab = await openLab()
  const { copy, push, url } = await served(lab)
  const remote = await remoteAt(url)
  await lab.git.copy('here', remote, { signal })
  const before = await lab.git.refs('here')
  await commit(copy, { 'b.txt': 'two\n' })
  await push('HEAD:refs/heads/main')
  const refuse = () => Promise.reject(new Error('no'))
  await expect(lab.git.pull('here', { remote }, { signal, onCommands: refuse })).rejects.toThrow('no')
  expect(await lab.git.refs('here')).toEqual(before)
})

test('a branch whose name is in the way of one that is here is left out and named', async () => {
  const lab = await openLab()
  const { copy, push, url } = await served(lab)
  const remote = await remoteAt(url)
  await lab.git.copy('here', remote, { signal })
  const to = await commit(copy, { 'b.txt': 'two\n' })
  await lab.git.setHead('there', 'refs/heads/new')
  await push(':refs/heads/topic/a', ':refs/heads/main')
  await push('HEAD:refs/heads/main/x', 'HEAD:refs/heads/topic', 'HEAD:refs/heads/new')
  const pulled = await lab.git.pull('here', { remote }, { signal, onCommands: noCommands })
  expect(pulled).toEqual({ changes: [{ ref: 'refs/heads/new', from: null, to }], skipped: ['refs/heads/main/x', 'refs/heads/topic'] })
})

test('a pull from other storage of ours needs no network', async () => {
  const lab = await openLab()
  const { copy, push } = await served(lab)
  await lab.git.fork('here', 'there')
  const to = await commit(copy, { 'b.txt': 'two\n' })
  await push('HEAD:refs/heads/main')
  const pulled = await lab.git.pull('here', { storage: 'there' }, { signal, onCommands: noCommands })
  expect(pulled).toMatchObject({ changes: [{ ref: 'refs/heads/main', to }] })
  await gitOut(lab.path('here'), ['fsck', '--full', '--strict'])
})

test('name and password reach the remote, and stand in no argument of any process', async () => {
  const lab = await openLab()
  const heard: (string | undefined)[] = []
  let seen = ''
  const url = await listen((asked, answer) => {
    heard.push(asked.headers.authorization)
    for (const pid of gitProcesses(lab.root)) seen += readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    answer.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
  })
  const remote = await remoteAt(`${url}/a.git`, { user: 'ann', password: 'canary-password' })
  await expect(lab.git.probe(remote, { signal })).rejects.toThrow(/wants a name and password/)
  expect(heard[0]).toBe(`Basic ${Buffer.from('ann:canary-password').toString('base64')}`)
  expect(seen).toContain('ls-remote')
  expect(seen).not.toMatch(/canary|YW5uOmNhbmFyeS1wYXNzd29yZA|capstan:/)
  expect(seen).not.toContain(remote.pass.password)
})

test('a redirect inside the host is followed, one to another host is not, and what is there is not asked', async () => {
  const lab = await openLab()
  let inner = 0
  const secret = await listen((_, answer) => answer.end(`hit ${++inner}`))
  const { port } = await host(lab.git)
  await lab.git.create('there')
  const away = await listen((asked, answer) => answer.writeHead(302, { location: `${secret.replace('repo.test', 'inner.test')}${asked.url}` }).end())
  await expect(lab.git.probe(await remoteAt(`${away}/a`), { signal })).rejects.toThrow(/led to another host/)
  const outer = await listen((asked, answer) => answer.writeHead(302, { location: `http://else.test:${port}${asked.url}` }).end())
  await expect(lab.git.copy('here', await remoteAt(`${outer}/there`), { signal })).rejects.toThrow(/led to another host/)
  expect(inner).toBe(0)
  expect(await lab.git.exists('here')).toBe(false)
})

test.each([
  'ext::touch%20LEAK',
  'file:///etc',
  '/etc',
  'ssh://repo.test/a',
  'git://repo.test/a',
  '--upload-pack=touch LEAK',
  'fd::7',
  'transport::x',
])('no helper and no other protocol answers to %s', async (address) => {
  const lab = await openLab()
  const remote = { ...(await remoteAt('http://repo.test:9/a')), url: address.replace('LEAK', `${lab.home}/leak`) }
  await expect(lab.git.probe(remote, { signal })).rejects.toThrow(RemoteFailed)
  await expect(lab.git.copy('here', remote, { signal })).rejects.toThrow(RemoteFailed)
  expect(existsSync(`${lab.home}/leak`)).toBe(false)
})

test('what is no repository, or is gone, is the fault of the other end, with a word for why', async () => {
  const lab = await openLab()
  const page = await listen((_, answer) => answer.end('<html>\n<body>\n</body>\n'))
  const missing = await listen((_, answer) => answer.writeHead(404).end())
  await expect(lab.git.probe(await remoteAt(`${missing}/a`), { signal })).rejects.toThrow('there is no repository at this address')
  await expect(lab.git.probe(await remoteAt(`${page}/a`), { signal })).rejects.toThrow(RemoteFailed)
  await expect(lab.git.probe(await remoteAt('http://inner.test/a'), { signal })).rejects.toThrow(/may not be called/)
})

test('a copy that is called off or cut leaves nothing behind', async () => {
  const lab = await openLab()
  const { url, copy, push } = await served(lab)
  await commit(copy, { large: Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919) % 251)) })
  await push('HEAD:refs/heads/main')
  const before = await below(lab.root)
  let leave = new AbortController()
  // Holds the pack back until the test has called the copy off.
  const holding = await listen(async (asked, answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of asked as AsyncIterable<Buffer>) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    if (body.includes('command=fetch')) return void leave.abort(new Error('called off'))
    const headers = Object.fromEntries(
      ['content-type', 'git-protocol'].flatMap((name) => (asked.headers[name] ? [[name, String(asked.headers[name])]] : [])),
    )
    const reply = await fetch(`${url.replace('repo.test', '127.0.0.1').replace('/there', '')}${asked.url}`, {
      method: asked.method ?? 'GET',
      headers,
      ...(body.length > 0 ? { body } : {}),
    })
    answer.writeHead(reply.status, { 'content-type': reply.headers.get('content-type') ?? '' }).end(Buffer.from(await reply.arrayBuffer()))
  })
  await expect(lab.git.copy('here', await remoteAt(`${holding}/there`), { signal: leave.signal })).rejects.toThrow('called off')
  expect(await below(lab.root)).toEqual(before)
  leave = new AbortController()
  const remote = await remoteAt(`${holding}/there`)
  leave.signal.addEventListener('abort', () => remote.pass.close())
  await expect(lab.git.copy('here', remote, { signal })).rejects.toThrow(RemoteFailed)
  expect(await below(lab.root)).toEqual(before)
  await until('no git is left', () => gitProcesses(lab.root, 'fetch').length === 0)
})
