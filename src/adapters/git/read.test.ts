import { readFile, readdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { GitTimeout, GitUnavailable } from '../../ports/git.ts'
import { below, commit, gitOut, gitProcesses, openLab, until } from './git-lab.suite.ts'

async function pushed(options = {}, files?: Record<string, string | Buffer>) {
  const lab = await openLab(options)
  await lab.git.create('r')
  const copy = await lab.working(files)
  await gitOut(copy, ['push', '-q', lab.path('r'), 'master'])
  return { ...lab, copy, tip: await gitOut(copy, ['rev-parse', 'HEAD']) }
}

test('a branch, a tag, HEAD and an id resolve to their commit; a tree, a wrong id and a missing ref to null', async () => {
  const { git, copy, tip, path } = await pushed()
  await gitOut(copy, ['tag', '-a', 'v1', '-m', 'v1'])
  await gitOut(copy, ['tag', '-a', 'v2', '-m', 'tag of a tag', 'v1'])
  await gitOut(copy, ['push', '-q', path('r'), 'v1', 'v2'])
  for (const revision of ['refs/heads/master', 'HEAD', 'refs/tags/v1', 'refs/tags/v2', tip, await gitOut(copy, ['rev-parse', 'v2'])])
    expect(await git.resolve('r', revision), revision).toBe(tip)
  for (const revision of ['refs/heads/none', '1'.repeat(40), await gitOut(copy, ['rev-parse', 'HEAD^{tree}'])])
    expect(await git.resolve('r', revision), revision).toBeNull()
})

test('a push that has finished is seen at once, also after packing of refs and objects, deletion and re-creation', async () => {
  const { git, copy, path } = await pushed()
  for (let i = 0; i < 10; i++) {
    const tip = await commit(copy, { n: `${i}` })
    await gitOut(copy, ['push', '-q', path('r'), 'master', 'HEAD:refs/heads/side/one'])
    expect(await git.resolve('r', 'refs/heads/master')).toBe(tip)
    if (i % 3 === 0) await gitOut(path('r'), ['pack-refs', '--all'])
    if (i % 4 === 0) await gitOut(path('r'), ['repack', '-adq'])
    expect(await git.resolve('r', 'refs/heads/side/one')).toBe(tip)
    expect((await git.entry('r', 'refs/heads/master', 'n'))?.size).toBe(1)
    await gitOut(copy, ['push', '-q', path('r'), ':refs/heads/side/one'])
    expect(await git.resolve('r', 'refs/heads/side/one')).toBeNull()
  }
})

test('a name is a full ref name or an id and nothing else: no revision expression, option, guess or path gets through', async () => {
  const { git, copy, tip, path } = await pushed({}, { 'README.md': 'one\n', 'a b': 'x' })
  await gitOut(copy, ['push', '-q', path('r'), 'HEAD:refs/heads/refs/heads/guess', `HEAD:refs/heads/v1-1-g${tip.slice(0, 8)}x`])
  const hostile = [
    'master',
    'heads/master',
    'refs/heads/guess',
    'refs/heads/master~0',
    'refs/heads/master^{tree}',
    'refs/heads/master^{commit}',
    'refs/heads/master@{0}',
    '@',
    '@{-1}',
    'refs/heads/master:README.md',
    ':/fixture',
    `${tip}^{tree}`,
    `${tip}:README.md`,
    tip.slice(0, 12),
    tip.toUpperCase(),
    `refs/heads/x-g${tip.slice(0, 10)}`,
    '--all',
    '-h',
    '--batch-all-objects',
    'refs/heads/master\n',
    `refs/heads/none\n${tip}`,
    'refs/heads/master\0',
    'refs/heads/../../HEAD',
    'refs/heads/./master',
    'refs/heads//master',
    '/refs/heads/master',
    'refs/heads/',
    'refs/heads/master.lock',
    'refs/heads/a b',
    'refs/../HEAD',
    'refs/../config',
    'packed-refs',
    '',
    `${tip}\n`,
    ` ${tip}`,
    'FETCH_HEAD',
    `refs/heads/${'x'.repeat(3000)}`,
    'refs/heads/\ud800',
  ]
  for (const revision of hostile) {
    expect(await git.resolve('r', revision), JSON.stringify(revision)).toBeNull()
    expect(await git.entry('r', revision, ''), JSON.stringify(revision)).toBeNull()
    expect(await git.log('r', revision, { limit: 5, skip: 0 }), JSON.stringify(revision)).toEqual([])
  }
  expect(await git.resolve('r', 'refs/heads/master')).toBe(tip) // the reader is still in step
})

test('entries are found by path, folder by folder, with mode, type and size', async () => {
  const { git, copy, path } = await pushed({}, { 'README.md': 'one\n', 'src/deep/a.txt': 'abc', 'run.sh': '#!/bin/sh\n' })
  await symlink('README.md', `${copy}/link`)
  await gitOut(copy, ['update-index', '--chmod=+x', 'run.sh'])
  await gitOut(copy, ['update-index', '--add', '--cacheinfo', `160000,${'a'.repeat(40)},sub`])
  await gitOut(copy, ['add', 'link'])
  await gitOut(copy, ['commit', '-q', '-m', 'kinds'])
  await gitOut(copy, ['push', '-q', path('r'), 'master'])
  const tip = await gitOut(copy, ['rev-parse', 'HEAD'])
  const at = async (name: string) => {
    const entry = await git.entry('r', tip, name)
    return entry && [entry.mode, entry.type, entry.size]
  }
  expect(await at('')).toEqual(['040000', 'tree', null])
  expect(await at('src/deep')).toEqual(['040000', 'tree', null])
  expect(await at('src/deep/a.txt')).toEqual(['100644', 'blob', 3])
  expect(await at('run.sh')).toEqual(['100755', 'blob', 10])
  expect(await at('link')).toEqual(['120000', 'link', 9])
  expect(await at('sub')).toEqual(['160000', 'commit', null])
  for (const none of [
    'none',
    'src/none',
    'README.md/x',
    'link/x',
    'sub/x',
    '/README.md',
    'src//deep',
    './README.md',
    'src/../README.md',
    'README.md/',
    'README.md\0',
    'src/deep/a.txt\n',
  ])
    expect(await at(none), none).toBeNull()
  const root = await git.entry('r', tip, '')
  expect((await git.tree('r', root?.oid ?? '')).map((entry) => [entry.name, entry.size])).toEqual([
    ['README.md', 4],
    ['link', 9],
    ['run.sh', 10],
    ['src', null],
    ['sub', null],
  ])
})

test('file names with line ends, blanks, colons and dashes are read like any other', async () => {
  const names = ['a\nb', 'a b', ' lead', 'HEAD:x', '--help', '@{1}', 'é', '日本', 'x^{tree}', '"q"']
  const { git, tip } = await pushed({}, Object.fromEntries(names.map((name) => [name, `content of ${name}`])))
  for (const name of names) {
    const entry = await git.entry('r', tip, name)
    expect((await git.blob('r', entry?.oid ?? '', { limit: 1000 }))?.toString(), name).toBe(`content of ${name}`)
  }
})

test('a blob is given whole up to the limit, and null beyond it', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) & 255))
  const { git, tip } = await pushed({}, { big: bytes, empty: '' })
  const oid = (await git.entry('r', tip, 'big'))?.oid ?? ''
  expect((await git.blob('r', oid, { limit: 300_000 }))?.equals(bytes)).toBe(true)
  expect(await git.blob('r', oid, { limit: 299_999 })).toBeNull()
  expect((await git.blob('r', (await git.entry('r', tip, 'empty'))?.oid ?? '', { limit: 0 }))?.length).toBe(0)
  await expect(git.blob('r', tip, { limit: 1000 })).rejects.toThrow(GitUnavailable)
})

test('many reads of many repositories at once are all right, with no more readers than allowed, and idle ones end', async () => {
  const lab = await openLab({ maxReaders: 3, idleMs: 50 })
  const copy = await lab.working()
  for (let i = 0; i < 8; i++) {
    await lab.git.create(`r${i}`)
    await gitOut(copy, ['push', '-q', lab.path(`r${i}`), 'master'])
  }
  const tip = await gitOut(copy, ['rev-parse', 'HEAD'])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, gitProcesses(lab.root, 'cat-file').length)), 1)
  const found = await Promise.all(Array.from({ length: 160 }, (_, i) => lab.git.resolve(`r${i % 8}`, 'refs/heads/master')))
  clearInterval(watch)
  expect(new Set(found)).toEqual(new Set([tip]))
  expect(most).toBeLessThanOrEqual(5) // three, and those that are just ending
  await until('idle readers end', () => gitProcesses(lab.root).length === 0)
})

test('missing objects are GitUnavailable', async () => {
  const { git, path } = await pushed()
  await writeFile(`${path('r')}/refs/heads/broken`, `${'2'.repeat(40)}\n`)
  await expect(git.resolve('r', 'refs/heads/broken')).rejects.toThrow(GitUnavailable)
  await expect(git.entry('r', 'refs/heads/broken', 'x')).rejects.toThrow(GitUnavailable)
  await expect(git.blob('r', '3'.repeat(40), { limit: 10 })).rejects.toThrow(GitUnavailable)
  await expect(git.tree('r', '3'.repeat(40))).rejects.toThrow(GitUnavailable)
  await expect(git.resolve('gone', 'refs/heads/master')).rejects.toThrow(GitUnavailable)
  expect(await git.resolve('r', 'refs/heads/master')).not.toBeNull()
})

test('damaged objects are GitUnavailable and do not spoil reading of other repositories', async () => {
  const { git, path, copy } = await pushed({}, { 'big.bin': Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) & 255)) })
  await git.create('other')
  await gitOut(copy, ['push', '-q', path('other'), 'master'])
  const objects = `${path('r')}/objects`
  for (const name of await below(objects)) if (/^..\/.{38}$/.test(name)) await truncate(`${objects}/${name}`, 5)
  await expect(git.resolve('r', 'refs/heads/master')).rejects.toThrow(GitUnavailable)
  expect(await git.resolve('other', 'refs/heads/master')).not.toBeNull()
})

test('a reader that is killed in the middle is replaced', async () => {
  const { git, root, copy, tip } = await pushed()
  const tree = await gitOut(copy, ['rev-parse', `${tip}^{tree}`])
  for (let i = 0; i < 5; i++) {
    expect(await git.resolve('r', 'HEAD')).toBe(tip)
    expect(await git.tree('r', tree)).not.toEqual([])
    for (const pid of gitProcesses(root, 'cat-file')) process.kill(pid, 'SIGKILL')
    expect(await git.tree('r', tree)).not.toEqual([])
  }
})

test('what was read by an object id is known without git, and only in its own repository', async () => {
  const { git, root, tip } = await pushed({ timeoutMs: 200 }, { 'a/b.txt': 'one' })
  await git.create('other')
  await git.resolve('r', 'refs/heads/master')
  const entry = await git.entry('r', 'refs/heads/master', 'a/b.txt')
  const bytes = await git.blob('r', entry?.oid ?? '', { limit: 10 })
  bytes?.fill(0)
  for (const pid of gitProcesses(root, 'cat-file')) process.kill(pid, 'SIGSTOP')
  expect(await git.resolve('r', 'refs/heads/master')).toBe(tip)
  expect(await git.entry('r', 'refs/heads/master', 'a/b.txt')).toEqual(entry)
  expect(String(await git.blob('r', entry?.oid ?? '', { limit: 10 }))).toBe('one')
  expect(await git.blob('r', entry?.oid ?? '', { limit: 2 })).toBeNull()
  await expect(git.blob('other', entry?.oid ?? '', { limit: 10 })).rejects.toThrow(GitUnavailable)
  await git.setAside('r')
  await expect(git.resolve('r', 'refs/heads/master')).rejects.toThrow(GitUnavailable)
})

test('whoever asks for a ref while it is read is told what it says from then on', async () => {
  const { git, copy, path, tip } = await pushed()
  const next = await commit(copy, { n: 'next' })
  const early = Array.from({ length: 20 }, () => git.resolve('r', 'refs/heads/master'))
  await gitOut(copy, ['push', '-q', path('r'), 'master'])
  const late = Array.from({ length: 20 }, () => git.resolve('r', 'refs/heads/master'))
  for (const seen of await Promise.all(early)) expect([tip, next]).toContain(seen)
  expect(new Set(await Promise.all(late))).toEqual(new Set([next]))
})

test('a git that does not answer is GitTimeout, and is ended', async () => {
  const { git, root, tip } = await pushed({ timeoutMs: 200 })
  await git.resolve('r', 'HEAD')
  for (const pid of gitProcesses(root, 'cat-file')) process.kill(pid, 'SIGSTOP')
  // What was asked before is known without git.
  expect(await git.resolve('r', 'HEAD')).toBe(tip)
  await expect(git.entry('r', 'HEAD', '')).rejects.toThrow(GitTimeout)
  await until('the stopped reader is gone', () => gitProcesses(root).length === 0)
  expect(await git.entry('r', 'HEAD', '')).not.toBeNull()
})

test('the log is newest first, in pages, with who and when', async () => {
  const { git, copy, path } = await pushed()
  for (let i = 1; i <= 3; i++) {
    await gitOut(copy, ['commit', '-q', '--allow-empty', '-m', `message ${i}\n\nbody`], {
      env: { GIT_AUTHOR_DATE: `170000000${i} +0230`, GIT_COMMITTER_DATE: `190000000${i} -0100` },
    })
  }
  await gitOut(copy, ['push', '-q', path('r'), 'master'])
  const commits = await git.log('r', 'refs/heads/master', { limit: 2, skip: 1 })
  expect(commits.map((item) => item.message)).toEqual(['message 2\n\nbody\n', 'message 1\n\nbody\n'])
  expect(commits[0]).toMatchObject({
    parents: [commits[1]?.id],
    author: { name: 'Ann', email: 'ann@lab.test', at: 1_700_000_002_000, zone: '+0230' },
    committer: { at: 1_900_000_002_000, zone: '-0100' },
  })
  expect(await git.log('r', 'refs/heads/none', { limit: 2, skip: 0 })).toEqual([])
})

test('a commit with a broken signature or another encoding is still read', async () => {
  const { git, path, tip } = await pushed()
  const tree = await gitOut(path('r'), ['rev-parse', `${tip}^{tree}`])
  const raw = Buffer.concat([
    Buffer.from(`tree ${tree}\nauthor J`),
    Buffer.from([0xfc]),
    Buffer.from(`rg <j@x> 5 +0000\ncommitter no address here\nencoding ISO-8859-1\n\nGr`),
    Buffer.from([0xfc]),
    Buffer.from('n\0tail\n'),
  ])
  const oid = await gitOut(path('r'), ['hash-object', '-t', 'commit', '-w', '--literally', '--stdin'], { input: raw })
  expect(await git.log('r', oid, { limit: 1, skip: 0 })).toMatchObject([
    { author: { name: 'Jürg', at: 5000 }, committer: { name: 'no address here', at: 0 }, message: 'Grün\0tail\n' },
  ])
})

test('refs change all or none, and only from the value that was expected', async () => {
  const { git, copy, tip, path } = await pushed()
  const two = await commit(copy, { b: '2' })
  await gitOut(copy, ['push', '-q', path('r'), 'master:refs/heads/two'])
  const up = (ref: string, from: string | null, to: string | null) => ({ ref: `refs/heads/${ref}`, from, to })
  expect(await git.updateRefs('r', [up('new', null, tip), up('master', tip, two)])).toBe('done')
  expect(await git.updateRefs('r', [up('newer', null, tip), up('master', tip, two)])).toBe('conflict')
  expect(await git.resolve('r', 'refs/heads/newer')).toBeNull()
  expect(await git.updateRefs('r', [up('new', null, two)])).toBe('conflict')
  expect(await git.updateRefs('r', [up('new', two, null)])).toBe('conflict')
  expect(await git.updateRefs('r', [up('new/below', null, two)])).toBe('conflict')
  expect(await git.updateRefs('r', [up('new', tip, null)])).toBe('done')
  expect([...(await git.refs('r')).keys()]).toEqual(['refs/heads/master', 'refs/heads/two'])
  await expect(git.updateRefs('r', [up('x', null, '5'.repeat(40))])).rejects.toThrow(GitUnavailable)
  for (const bad of ['a\0b', 'a b', '../../x', 'x.lock', '-x\n'])
    await expect(git.updateRefs('r', [up(bad, null, tip)]), bad).rejects.toThrow(GitUnavailable)
})

test('of many changes of one ref from one value exactly one wins', async () => {
  const { git, copy, tip, path } = await pushed()
  const tips: string[] = []
  for (let i = 0; i < 8; i++) tips.push(await gitOut(copy, ['commit-tree', '-p', tip, '-m', `${i}`, `${tip}^{tree}`]))
  await gitOut(copy, ['push', '-q', path('r'), ...tips.map((oid, i) => `${oid}:refs/heads/t${i}`)])
  const results = await Promise.all(tips.map((to) => git.updateRefs('r', [{ ref: 'refs/heads/master', from: tip, to }])))
  expect(results.filter((result) => result === 'done')).toHaveLength(1)
  expect(await git.resolve('r', 'refs/heads/master')).toBe(tips[results.indexOf('done')])
})

test('HEAD points where it is told, and only at refs', async () => {
  const { git, path } = await pushed()
  await git.setHead('r', 'refs/heads/other')
  expect(await readFile(`${path('r')}/HEAD`, 'utf8')).toBe('ref: refs/heads/other\n')
  for (const bad of ['config', 'refs/heads/../../x', '-d', 'refs/x']) await expect(git.setHead('r', bad), bad).rejects.toThrow(GitUnavailable)
})

test('closing leaves no process, and later reads fail', async () => {
  const { git, root } = await pushed()
  await git.resolve('r', 'HEAD')
  expect(gitProcesses(root).length).toBe(1)
  await git.close()
  expect(gitProcesses(root)).toEqual([])
  await expect(git.resolve('r', 'HEAD')).rejects.toThrow(GitUnavailable)
})

test('what a repository or its owner puts into config, hooks, attributes or alternates has no effect on reads', async () => {
  const { git, path, tip, home } = await pushed({}, { '.gitattributes': '* filter=evil\n', a: 'x' })
  await gitOut(path('r'), ['config', 'core.fsmonitor', `touch ${home}/pwned`])
  await gitOut(path('r'), ['config', 'core.hooksPath', home])
  await gitOut(path('r'), ['config', 'filter.evil.smudge', `touch ${home}/pwned`])
  const entry = await git.entry('r', tip, 'a')
  expect((await git.blob('r', entry?.oid ?? '', { limit: 5 }))?.toString()).toBe('x')
  expect(await readdir(home)).not.toContain('pwned')
})
