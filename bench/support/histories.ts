import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type Kind = 'git' | 'hg'

const files = 500
const first = 1_600_000_000
const fileMiB = 8
const pathOf = (n: number) => `folder${String(n % 25).padStart(2, '0')}/file${String(n).padStart(3, '0')}.txt`
const contentOf = (commit: number) => `line of commit ${commit}\n`

/** A bare repository of so many commits, each of which changes one of 500 files. Made once for all benches and kept. */
export function historyOf(kind: Kind, commits: number): string {
  return kept(`${kind}-${commits}-commits`, (folder) => (kind === 'git' ? gitHistory(folder, commits) : hgHistory(folder, commits)))
}

/** A repository of one commit with so many MiB that do not compress, in files of 8 MiB. Made once for all benches and kept. */
export function bulkOf(kind: Kind, mebibytes: number): string {
  return kept(`${kind}-${mebibytes}-mib`, (folder) => {
    for (let n = 0; n < mebibytes / fileMiB; n++) {
      mkdirSync(dirname(join(folder, pathOf(n))), { recursive: true })
      writeFileSync(join(folder, pathOf(n)), randomBytes(fileMiB << 20))
    }
    const plain = ['--config', 'format.revlog-compression=none', '--config', 'ui.username=bench']
    if (kind === 'hg') for (const args of [['init'], ['commit', '-q', '-A', '-m', 'bulk']]) hg(folder, [...plain, ...args])
    else
      for (const args of [
        ['init', '-q', '-b', 'master'],
        ['add', '-A'],
        ['commit', '-q', '-m', 'bulk'],
      ])
        git(folder, args)
  })
}

export function git(cwd: string, args: readonly string[], input?: string | Buffer): Buffer {
  const named = ['-c', 'user.name=bench', '-c', 'user.email=bench@bench.test', '-c', 'core.compression=0', '-c', 'pack.window=0']
  return execFileSync('git', [...named, ...args], {
    cwd,
    env: { ...process.env, GIT_TERMINAL_PROMPT: '0' },
    stdio: ['pipe', 'pipe', 'pipe'],
    maxBuffer: 1 << 30,
    ...(input === undefined ? {} : { input }),
  })
}

export function hg(cwd: string, args: readonly string[]): Buffer {
  const environment = { PATH: '/usr/bin:/bin:/usr/local/bin', HOME: cwd, HGPLAIN: '1', HGRCPATH: '', LANG: 'C.UTF-8' }
  return execFileSync('hg', args, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 30 })
}

function kept(name: string, make: (folder: string) => void): string {
  const all = join(tmpdir(), 'capstan-bench-histories')
  const folder = join(all, name)
  if (existsSync(folder)) return folder
  mkdirSync(all, { recursive: true })
  const unfinished = mkdtempSync(join(all, 'new-'))
  try {
    make(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    throw error
  }
  return folder
}

function gitHistory(folder: string, commits: number): void {
  git(folder, ['init', '-q', '--bare', '-b', 'master'])
  const stream: string[] = []
  for (let n = 0; n < commits; n++) {
    const [message, content] = [`commit ${n}\n`, contentOf(n)]
    stream.push(
      `commit refs/heads/master\ncommitter bench <bench@bench.test> ${first + n * 60} +0000\ndata ${message.length}\n${message}`,
      `M 100644 inline ${pathOf(n % files)}\ndata ${content.length}\n${content}\n`,
    )
  }
  git(folder, ['fast-import', '--quiet'], stream.join(''))
  git(folder, ['repack', '-q', '-a', '-d'])
}

// A bundle written by hand (Mercurial's changegroup, version 1) and read by hg: a tenth of the time that as many commits by hg take.
function hgHistory(folder: string, commits: number): void {
  const nothing = Buffer.alloc(20)
  const nodeOf = (parent: Buffer, text: string) =>
    createHash('sha1')
      .update(Buffer.concat([nothing, parent].sort(Buffer.compare)))
      .update(text)
      .digest()
  const [changes, manifests] = [[] as Buffer[], [] as Buffer[]]
  const revisions = new Map<string, Buffer[]>()
  const lines = new Map<string, string>()
  const tips = new Map<string, Buffer>()
  let [change, manifest, before, manifestBefore] = [nothing, nothing, '', '']
  for (let n = 0; n < commits; n++) {
    const [path, content] = [pathOf(n % files), contentOf(n)]
    const parent = tips.get(path) ?? nothing
    const file = nodeOf(parent, content)
    tips.set(path, file)
    lines.set(path, `${path}\0${file.toString('hex')}\n`)
    const manifestText = [...lines.keys()]
      .sort()
      .map((name) => lines.get(name))
      .join('')
    const manifestNode = nodeOf(manifest, manifestText)
    const text = `${manifestNode.toString('hex')}\nbench <bench@bench.test>\n${first + n * 60} 0\n${path}\n\ncommit ${n}`
    const node = nodeOf(change, text)
    const chunk = (one: Buffer, above: Buffer, delta: Buffer) => framed(Buffer.concat([one, above, nothing, node, delta]))
    changes.push(chunk(node, change, replaced(before, text)))
    manifests.push(chunk(manifestNode, manifest, replaced(manifestBefore, manifestText)))
    const own = revisions.get(path) ?? []
    own.push(chunk(file, parent, replaced(own.length === 0 ? '' : contentOf(n - files), content)))
    revisions.set(path, own)
    ;[change, manifest, before, manifestBefore] = [node, manifestNode, text, manifestText]
  }
  const end = Buffer.alloc(4)
  const filelogs = [...revisions].flatMap(([path, own]) => [framed(Buffer.from(path)), ...own, end])
  writeFileSync(join(folder, 'bundle'), Buffer.concat([Buffer.from('HG10UN'), ...changes, end, ...manifests, end, ...filelogs, end]))
  hg(folder, ['init'])
  hg(folder, ['unbundle', '-q', 'bundle'])
  rmSync(join(folder, 'bundle'))
}

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}

/** One hunk of whole lines that makes `to` of `from`: what both begin and end with stays. All of it is ASCII. */
function replaced(from: string, to: string): Buffer {
  const shorter = Math.min(from.length, to.length)
  let head = 0
  while (head < shorter && from[head] === to[head]) head++
  head = from.lastIndexOf('\n', head - 1) + 1
  let tail = 0
  while (tail < shorter - head && from.at(-1 - tail) === to.at(-1 - tail)) tail++
  const lineEnds = (text: string) => text[text.length - tail - 1] === '\n'
  while (tail > 0 && !(lineEnds(from) && lineEnds(to))) tail--
  const data = Buffer.from(to.slice(head, to.length - tail))
  const hunk = Buffer.alloc(12)
  hunk.writeUInt32BE(head, 0)
  hunk.writeUInt32BE(from.length - tail, 4)
  hunk.writeUInt32BE(data.length, 8)
  return Buffer.concat([hunk, data])
}
