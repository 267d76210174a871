import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { readFile, readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { GitBusy, GitProtocolError, GitTimeout, GitUnavailable } from '../../ports/git.ts'
import type { GitServeRequest } from '../../ports/git.ts'
import { commit, gitOut, gitProcesses, host, openLab, Refused, tryGit, until } from './git-lab.suite.ts'
import { flushPacket, packet } from './pkt-line.ts'

const none = '0'.repeat(40)
const emptyPack = Buffer.from('5041434b0000000200000000029d08823bd8a8eab510ad6ac75c823cfd3ed31e', 'hex')

async function hosted(options: Parameters<typeof openLab>[0] = {}) {
  const lab = await openLab(options)
  await lab.git.create('r')
  const hosting = await host(lab.git)
  return { ...lab, hosting, remote: `${hosting.url}/r` }
}

async function seeded(options: Parameters<typeof openLab>[0] = {}) {
  const lab = await hosted(options)
  const copy = await lab.working()
  await gitOut(copy, ['remote', 'add', 'origin', lab.remote])
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
  return { ...lab, copy, tip: await gitOut(copy, ['rev-parse', 'HEAD']) }
}

async function* once(...chunks: Buffer[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

const request = (over: Partial<GitServeRequest>): GitServeRequest => ({
  id: 'r',
  service: 'upload-pack',
  phase: 'exchange',
  protocol: null,
  body: null,
  signal: new AbortController().signal,
  ...over,
})

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

test.each(['0', '1', '2'])('clone, fetch and push work by protocol v%s', async (version) => {
  const { home, copy, remote, hosting } = await seeded()
  const v = ['-c', `protocol.version=${version}`]
  await gitOut(home, [...v, 'clone', '-q', remote, 'two'])
  const made = await commit(`${home}/two`, { 'b.txt': 'two\n' })
  await gitOut(`${home}/two`, [...v, 'push', '-q', 'origin', 'master'])
  await gitOut(copy, [...v, 'fetch', '-q', 'origin'])
  expect(await gitOut(copy, ['rev-parse', 'origin/master'])).toBe(made)
  expect(hosting.pushes.at(-1)?.changes).toMatchObject([{ ref: 'refs/heads/master', to: made }])
})

test('every advertisement begins with the service line, and speaks v2 only when asked in the published form', async () => {
  const { git } = await seeded()
  const advertise = async (protocol: string | null, service: 'upload-pack' | 'receive-pack' = 'upload-pack') => {
    const answer = await git.serve(request({ phase: 'advertise', protocol, service }))
    expect(answer.contentType).toBe(`application/x-git-${service}-advertisement`)
    return text(answer.body)
  }
  expect(await advertise('version=2')).toMatch(/^001e# service=git-upload-pack\n0000000eversion 2\n/)
  expect(await advertise('version=1')).toMatch(/^001e# service=git-upload-pack\n0000000eversion 1\n/)
  expect(await advertise(null, 'receive-pack')).toMatch(
    /^001f# service=git-receive-pack\n0000[0-9a-f]{4}[0-9a-f]{40} refs\/heads\/master\0.*atomic.*push-options/,
  )
  for (const header of [
    'version=2; touch x',
    '$(id)',
    '--version=2',
    'version=3',
    'version=22',
    ` version=2`,
    'version=2\n',
    `version=2:${'x'.repeat(3000)}`,
  ])
    expect(await advertise(header), header).not.toContain('version 2')
})

test('shallow clones deepen and push; partial clones fill in what they lack, by v0 and v2', async () => {
  const { home, copy, remote } = await seeded()
  for (let i = 0; i < 6; i++) await commit(copy, { n: `${i}`, [`big${i}`]: 'x'.repeat(5000) + i })
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
  await gitOut(home, ['clone', '-q', '--depth', '2', remote, 'shallow'])
  const count = () => gitOut(`${home}/shallow`, ['rev-list', '--count', 'HEAD'])
  expect(await count()).toBe('2')
  await gitOut(`${home}/shallow`, ['fetch', '-q', '--deepen', '3'])
  expect(await count()).toBe('5')
  await commit(`${home}/shallow`, { s: 's' })
  await gitOut(`${home}/shallow`, ['push', '-q', 'origin', 'HEAD:refs/heads/from-shallow'])
  for (const version of ['0', '2']) {
    await gitOut(home, ['-c', `protocol.version=${version}`, 'clone', '-q', '--filter=blob:none', '--no-checkout', remote, `partial${version}`])
    const missing = await gitOut(`${home}/partial${version}`, ['rev-list', '--objects', '--all', '--missing=print'])
    expect(missing).toMatch(/^\?/m)
    expect(await gitOut(`${home}/partial${version}`, ['-c', `protocol.version=${version}`, 'show', 'HEAD:n'])).toBe('5')
  }
})

test('onCommands hears commands and options before anything changes; onChanged hears what changed before the client hears of it', async () => {
  const { git, copy, tip, hosting } = await seeded()
  const two = await commit(copy, { b: '2' })
  let seen: string | null = ''
  hosting.whenChanged = async () => {
    seen = await git.resolve('r', 'refs/heads/master')
  }
  hosting.refuse = () => expect(hosting.pushes).toHaveLength(1)
  await gitOut(copy, ['push', '-q', '-o', 'one=1', '-o', 'two', 'origin', 'master', 'HEAD:refs/heads/side', 'HEAD:refs/tags/light'])
  expect(seen).toBe(two)
  const changes = [
    { ref: 'refs/heads/master', from: tip, to: two },
    { ref: 'refs/heads/side', from: null, to: two },
    { ref: 'refs/tags/light', from: null, to: two },
  ]
  expect(hosting.pushes.at(-1)).toMatchObject({ options: ['one=1', 'two'], commands: changes, changes })
})

test('a push that onCommands refuses changes nothing and starts no git', async () => {
  const { git, copy, tip, hosting, root } = await seeded()
  hosting.refuse = () => {
    expect(gitProcesses(root, 'receive-pack')).toEqual([])
    throw new Refused('no')
  }
  await commit(copy, { b: '2' })
  expect((await tryGit(copy, ['push', 'origin', 'master'])).err).toContain('403')
  expect(await git.resolve('r', 'refs/heads/master')).toBe(tip)
})

test('a report is held back until onChanged has resolved; when it fails, the client hears no success', async () => {
  const { git, copy, hosting, root } = await seeded()
  const record = Promise.withResolvers<void>()
  hosting.whenChanged = () => record.promise
  const two = await commit(copy, { b: '2' })
  let heard = false
  const pushing = gitOut(copy, ['push', '-q', 'origin', 'master']).then(() => (heard = true))
  await until('the push took effect', async () => (await git.resolve('r', 'refs/heads/master')) === two)
  await until('git has ended', () => gitProcesses(root, 'receive-pack').length === 0)
  expect(heard).toBe(false)
  record.resolve()
  await pushing
  hosting.whenChanged = () => Promise.reject(new Error('the store is down'))
  await commit(copy, { b: '3' })
  expect((await tryGit(copy, ['push', '--porcelain', 'origin', 'master'])).code).not.toBe(0)
})

test('force pushes, tags and deletions are told as they happened; a part that git refuses is not told', async () => {
  const { git, copy, tip, hosting } = await seeded()
  await gitOut(copy, ['commit', '-q', '--amend', '-m', 'other'])
  const other = await gitOut(copy, ['rev-parse', 'HEAD'])
  expect((await tryGit(copy, ['push', '-q', 'origin', 'master'])).code).not.toBe(0)
  await gitOut(copy, ['push', '-q', '-f', 'origin', 'master', `${tip}:refs/heads/side`])
  expect(hosting.pushes.at(-1)?.changes).toEqual([
    { ref: 'refs/heads/master', from: tip, to: other },
    { ref: 'refs/heads/side', from: null, to: tip },
  ])
  // side/below cannot be beside side: git refuses this one and takes the other
  await tryGit(copy, ['push', '-q', 'origin', 'HEAD:refs/heads/side/below', 'HEAD:refs/heads/fine'])
  expect(hosting.pushes.at(-1)?.changes?.map((change) => change.ref)).toEqual(['refs/heads/fine'])
  await gitOut(copy, ['push', '-q', 'origin', ':refs/heads/side', ':refs/heads/master'])
  expect(hosting.pushes.at(-1)?.changes?.map((change) => [change.ref, change.to])).toEqual([
    ['refs/heads/master', null],
    ['refs/heads/side', null],
  ])
  expect(await git.resolve('r', 'refs/heads/master')).toBeNull()
  const atomic = await tryGit(copy, ['push', '-q', '--atomic', 'origin', 'HEAD:refs/heads/fine/below', 'HEAD:refs/heads/z'])
  expect(atomic.code).not.toBe(0)
  expect(await git.resolve('r', 'refs/heads/z')).toBeNull()
})

test('the first push to an empty repository points HEAD at its branch', async () => {
  const { git, remote, working } = await hosted()
  const copy = await working()
  await gitOut(copy, ['push', '-q', remote, 'HEAD:refs/tags/v1'])
  expect(await git.head('r')).toBe('refs/heads/master')
  await gitOut(copy, ['push', '-q', remote, 'HEAD:refs/heads/trunk'])
  expect(await git.head('r')).toBe('refs/heads/trunk')
  await gitOut(copy, ['push', '-q', remote, 'HEAD:refs/heads/later'])
  expect(await git.head('r')).toBe('refs/heads/trunk')
  await git.create('s')
  await gitOut(copy, ['push', '-q', remote.replace(/r$/, 's'), 'HEAD:refs/heads/abc', 'HEAD:refs/heads/master'])
  expect(await git.head('s')).toBe('refs/heads/master')
})

test('refs outside of refs/, refs that are none, and heads of pull requests are refused by git on the wire', async () => {
  const { git, tip, path } = await seeded()
  const before = await readdir(path('r'))
  for (const bad of [
    'refs/heads/../../x',
    'refs/heads/a..b',
    'HEAD/../x',
    'refs/heads/x.lock',
    'refs/heads/a b',
    'config',
    'HEAD',
    'refs/x',
    'refs/heads/',
    'refs/pull/1/head',
    'refs/heads/.x',
    '../../x',
  ]) {
    const changes: unknown[] = []
    const body = once(packet(`${none} ${tip} ${bad}\0 report-status\n`), flushPacket, emptyPack)
    const answer = await git.serve(request({ service: 'receive-pack', body, onChanged: async (list) => void changes.push(...list) }))
    const report = await text(answer.body)
    expect(report, bad).toContain(`ng ${bad} `)
    expect(report, bad).not.toContain('ok refs')
    expect(changes).toEqual([])
  }
  expect(await readdir(path('r'))).toEqual(before)
  expect((await git.refs('r')).size).toBe(1)
})

test('names below refs/ that look like options or commands are names', async () => {
  const { git, copy, home, remote } = await seeded()
  for (const ref of [
    'refs/heads/--upload-pack=touch',
    'refs/heads/-x',
    'refs/heads/$(touch$IFSpwned)',
    'refs/heads/`touch`',
    'refs/heads/a;b',
    'refs/tags/--output=x',
  ]) {
    await gitOut(copy, ['push', '-q', 'origin', `HEAD:${ref}`])
    expect(await git.resolve('r', ref)).not.toBeNull()
  }
  await gitOut(home, ['clone', '-q', '--mirror', remote, 'mirror'])
  expect(await readdir(home)).not.toContain('pwned')
})

test('what is no git protocol is GitProtocolError, and no git is left', async () => {
  const { git, tip, root } = await seeded()
  const line = packet(`${none} ${tip} refs/heads/x\0report-status`)
  const bad: Buffer[][] = [
    [Buffer.from('nonsense that is no packet')],
    [Buffer.from('0003')],
    [Buffer.from('fff9xx')],
    [packet('short')],
    [packet(`${none} ${tip} `)],
    [line],
    [line, Buffer.from('00')],
    [packet('push-cert\0report-status'), flushPacket],
    [packet(`${none} ${tip} refs/heads/x\0push-options`), flushPacket],
    [line, packet(`${none} ${tip} refs/heads/x`), flushPacket],
    [packet(Buffer.concat([Buffer.from(`${none} ${tip} refs/heads/`), Buffer.from([0xff])])), flushPacket],
    [line, Buffer.from('0001'), flushPacket],
    [line, packet(`${none} ${tip} refs/heads/y\0atomic`), flushPacket],
    [line, ...Array.from({ length: 10_000 }, (_, i) => packet(`${none} ${tip} refs/heads/x${i}`)), flushPacket],
    [line, ...Array.from({ length: 30 }, (_, i) => packet(`${none} ${tip} refs/heads/${i}${'x'.repeat(60_000)}`)), flushPacket],
  ]
  for (const [index, chunks] of bad.entries()) {
    await expect(
      git.serve(request({ service: 'receive-pack', body: once(...chunks), onCommands: () => Promise.reject(new Error('heard')) })),
      `${index}`,
    ).rejects.toThrow(GitProtocolError)
  }
  await expect(git.serve(request({ body: once(Buffer.from('nonsense that is no packet')) }))).rejects.toThrow(GitProtocolError)
  await expect(git.serve(request({ id: 'missing', phase: 'advertise' }))).rejects.toThrow(GitUnavailable)
  await until('no git is left', () => gitProcesses(root).length === 0)
})

test('commands that come a byte at a time are read as well', async () => {
  const { git, tip } = await seeded()
  const bytes = Buffer.concat([
    packet(`${none} ${tip} refs/heads/slow\0report-status push-options`),
    flushPacket,
    packet('a=1'),
    flushPacket,
    emptyPack,
  ])
  const options: string[] = []
  const answer = await git.serve(
    request({
      service: 'receive-pack',
      body: once(...Array.from(bytes, (byte) => Buffer.from([byte]))),
      onCommands: async (_, list) => void options.push(...list),
    }),
  )
  expect(await text(answer.body)).toContain('ok refs/heads/slow')
  expect(options).toEqual(['a=1'])
})

test('an empty push request is answered with nothing, without a git and without calls', async () => {
  const { git } = await seeded()
  const heard = () => Promise.reject(new Error('heard'))
  expect(await text((await git.serve(request({ service: 'receive-pack', body: once(flushPacket), onCommands: heard, onChanged: heard }))).body)).toBe(
    '',
  )
})

test('a pack that is cut off, corrupt, or holds a forbidden name changes nothing and leaves nothing', async () => {
  const { git, copy, path, tip, hosting, root } = await seeded()
  const objects = await readdir(`${path('r')}/objects/pack`)
  for (const pack of [emptyPack.subarray(0, 20), Buffer.concat([emptyPack.subarray(0, -1), Buffer.from([0])]), randomBytes(1000)]) {
    const answer = await git.serve(
      request({ service: 'receive-pack', body: once(packet(`${none} ${tip} refs/heads/x\0report-status`), flushPacket, pack) }),
    )
    expect(await text(answer.body)).toContain('ng refs/heads/x')
  }
  const evil = await gitOut(copy, ['hash-object', '-w', '--stdin'], { input: 'x' })
  for (const name of ['.git', '..']) {
    const tree = await gitOut(copy, ['hash-object', '-t', 'tree', '-w', '--literally', '--stdin'], {
      input: Buffer.concat([Buffer.from(`100644 ${name}\0`), Buffer.from(evil, 'hex')]),
    })
    const bad = await gitOut(copy, ['commit-tree', tree, '-m', 'evil'])
    expect((await tryGit(copy, ['push', 'origin', `${bad}:refs/heads/evil`])).err, name).toMatch(/hasDot|unpack/)
  }
  expect(hosting.pushes.slice(1).flatMap((push) => push.changes)).toEqual([])
  expect(await readdir(`${path('r')}/objects/pack`)).toEqual(objects)
  expect((await readdir(`${path('r')}/objects`)).sort()).toEqual(['info', 'pack'])
  expect(gitProcesses(root, 'receive-pack')).toEqual([])
})

test('of two pushes that race for a branch one wins, the other is told so, and only the winner is told of', async () => {
  const { git, home, remote, hosting } = await seeded()
  for (let turn = 0; turn < 3; turn++) {
    const tips: string[] = []
    for (const name of ['x', 'y']) {
      await gitOut(home, ['clone', '-q', remote, `${name}${turn}`])
      tips.push(await commit(`${home}/${name}${turn}`, { a: randomBytes(30_000).toString('hex') }, `${turn}${name}`))
    }
    const before = hosting.pushes.length
    const results = await Promise.all(['x', 'y'].map((name) => tryGit(`${home}/${name}${turn}`, ['push', '--porcelain', 'origin', 'master'])))
    const won = results.findIndex((result) => result.code === 0)
    expect(results.filter((result) => result.code === 0)).toHaveLength(1)
    expect(await git.resolve('r', 'refs/heads/master')).toBe(tips[won])
    expect(
      hosting.pushes
        .slice(before)
        .flatMap((push) => push.changes)
        .map((change) => change?.to),
    ).toEqual([tips[won]])
  }
})

test('twenty clones at once are all complete with four places', async () => {
  const { home, copy, remote } = await seeded({ maxServing: 4 })
  await commit(copy, Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`d/${i}`, randomBytes(5000)])))
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
  const wanted = await gitOut(copy, ['rev-parse', 'HEAD^{tree}'])
  await Promise.all(Array.from({ length: 20 }, (_, i) => gitOut(home, ['clone', '-q', '--bare', remote, `c${i}`])))
  for (let i = 0; i < 20; i++) expect(await gitOut(`${home}/c${i}`, ['rev-parse', 'HEAD^{tree}'])).toBe(wanted)
})

test('when all places are taken and the queue is full, GitBusy; a place that becomes free is given on', async () => {
  const { git, root } = await seeded({ maxServing: 1, queue: 1 })
  const stop = new AbortController()
  const hanging = new Promise<never>(() => {})
  const first = git.serve(request({ body: { [Symbol.asyncIterator]: () => ({ next: () => hanging }) }, signal: stop.signal }))
  await until('the first runs', () => gitProcesses(root, 'upload-pack').length === 1)
  const second = git.serve(request({ phase: 'advertise' }))
  await expect(git.serve(request({ phase: 'advertise' }))).rejects.toThrow(GitBusy)
  stop.abort(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  expect(await text((await second).body)).toContain('refs/heads/master')
})

test('an exchange in which nothing moves is ended', async () => {
  const { git, root } = await seeded({ stallMs: 3000 })
  const body = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
  await expect(git.serve(request({ body }))).rejects.toThrow(GitTimeout)
  await until('no git is left', () => gitProcesses(root).length === 0)
})

test('clients that leave in the middle of a clone leave no git process', async () => {
  const { copy, hosting, root, git } = await seeded()
  const tip = await commit(copy, Object.fromEntries(Array.from({ length: 4 }, (_, i) => [`${i}`, randomBytes(1_000_000)])))
  await gitOut(copy, ['-c', 'core.compression=0', 'push', '-q', 'origin', 'master'])
  const want = Buffer.concat([packet(`want ${tip} ofs-delta\n`), flushPacket, packet('done\n')])
  for (let i = 0; i < 5; i++) {
    const socket = connect(hosting.port, '127.0.0.1')
    socket.write(`POST /r/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Length: ${want.length}\r\n\r\n`)
    socket.write(want)
    await new Promise<void>((resolve) => socket.once('data', () => resolve()))
    socket.destroy()
  }
  await until('no git is left', () => gitProcesses(root).length === 0)
  const { body } = await git.serve(request({ body: once(want) }))
  for await (const chunk of body) if (chunk.length > 0) break
  expect(gitProcesses(root)).toEqual([])
})

test('a client that leaves in the middle of a push changes nothing, and the next push works', async () => {
  const { git, copy, tip, hosting, root, path } = await seeded()
  const pack = await packOf(copy)
  for (const part of [10, Math.floor(pack.length / 2), pack.length - 1]) {
    const socket = connect(hosting.port, '127.0.0.1')
    const head = Buffer.concat([packet(`${none} ${tip} refs/heads/x\0report-status side-band-64k`), flushPacket])
    socket.write(`POST /r/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: ${head.length + pack.length}\r\n\r\n`)
    socket.write(Buffer.concat([head, pack.subarray(0, part)]))
    await until('git has it', () => gitProcesses(root, 'receive-pack').length > 0)
    socket.destroy()
    await until('no git is left', () => gitProcesses(root).length === 0)
    await until('the push is settled', () => hosting.pushes.at(-1)?.changes !== null)
    expect(hosting.pushes.at(-1)?.changes).toEqual([])
  }
  expect((await readdir(`${path('r')}/objects`)).sort()).toEqual(['info', 'pack'])
  await commit(copy, { after: 'x' })
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
  await gitOut(path('r'), ['fsck', '--full'])
  expect(await git.resolve('r', 'refs/heads/x')).toBeNull()
})

async function packOf(copy: string): Promise<Buffer> {
  await commit(copy, { big: randomBytes(2_000_000) })
  await gitOut(copy, ['repack', '-adq'])
  const name = (await readdir(`${copy}/.git/objects/pack`)).find((file) => file.endsWith('.pack'))
  return readFile(`${copy}/.git/objects/pack/${name}`)
}

test('a git that is killed in the middle of a push leaves a valid repository without locks, and the next push works', async () => {
  const { git, copy, tip, root, path } = await seeded()
  const gate = Promise.withResolvers<void>()
  const pack = await packOf(copy)
  async function* slow() {
    yield packet(`${none} ${tip} refs/heads/x\0report-status`)
    yield flushPacket
    yield pack.subarray(0, 1_000_000)
    await gate.promise
    yield pack.subarray(1_000_000)
  }
  const changes: unknown[] = []
  const pushing = git.serve(request({ service: 'receive-pack', body: slow(), onChanged: async (list) => void changes.push(list) }))
  pushing.catch(() => {})
  await until('the pack is being read', () => gitProcesses(root, 'index-pack').length > 0)
  for (const pid of gitProcesses(root, 'receive-pack')) process.kill(pid, 'SIGKILL')
  await expect(pushing).rejects.toThrow(GitUnavailable)
  expect(gitProcesses(root)).toEqual([]) // index-pack reads from the same pipe and would go on
  gate.resolve()
  expect(changes).toEqual([[]])
  expect((await readdir(`${path('r')}/objects`)).sort()).toEqual(['info', 'pack'])
  await gitOut(path('r'), ['fsck', '--full'])
  await gitOut(copy, ['push', '-q', 'origin', 'master'])
})

test('a push that took effect is told of although its client has left', async () => {
  const { git, tip } = await seeded()
  const told: unknown[] = []
  const stop = new AbortController()
  const body = once(packet(`${none} ${tip} refs/heads/late\0report-status`), flushPacket, emptyPack)
  const serving = git.serve(
    request({
      service: 'receive-pack',
      body,
      signal: stop.signal,
      async onChanged(changes) {
        stop.abort(new Error('gone'))
        told.push(...changes)
      },
    }),
  )
  await serving.then(({ body }) => text(body)).catch(() => '')
  expect(told).toEqual([{ ref: 'refs/heads/late', from: null, to: tip }])
})

test('setting a repository aside ends its exchanges', async () => {
  const { git, root } = await seeded()
  const serving = git.serve(request({ body: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) } }))
  serving.catch(() => {})
  await until('it runs', () => gitProcesses(root, 'upload-pack').length === 1)
  await git.setAside('r')
  await expect(serving).rejects.toThrow(GitUnavailable)
  expect(gitProcesses(root)).toEqual([])
})

test('closing ends all exchanges', async () => {
  const { git, root } = await seeded()
  const serving = git.serve(request({ body: { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) } }))
  serving.catch(() => {})
  await until('it runs', () => gitProcesses(root, 'upload-pack').length === 1)
  await git.close()
  await expect(serving).rejects.toThrow(GitUnavailable)
  expect(gitProcesses(root)).toEqual([])
})
