import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'

/** A small disk that only programs started through `wrap` see at `path`. */
export type SmallDisk = {
  readonly path: string
  /** A command line in front of a program's own: it runs the program where the disk is. */
  readonly wrap: readonly string[]
  /** The disk as this process reaches it. */
  readonly seen: string
  /** Takes all room that is left, to the last block. */
  fill(): void
  /** Gives the room back. */
  free(): void
  close(): Promise<void>
}

// A disk of its own needs a mount namespace: root may make one as it is, others inside of a user namespace in which they stay who they are.
const ways = [
  { enter: ['-m'], make: ['-m'] },
  { enter: ['-U', '-m', '--preserve-credentials'], make: ['-U', '--map-current-user', '--keep-caps', '-m'] },
]
const script = 'mount -t tmpfs -o "size=$2,mode=0755" tmpfs "$1" && echo ready && exec cat'

/** A disk of `bytes`, or why there can be none here. */
export async function openSmallDisk(bytes: number): Promise<SmallDisk | { readonly missing: string }> {
  const path = mkdtempSync(join(tmpdir(), 'capstan-disk-'))
  let said = ''
  for (const way of ways) {
    const holder = spawn('unshare', [...way.make, '--propagation', 'private', 'sh', '-c', script, 'sh', path, String(bytes)])
    const heard = await firstWord(holder)
    if (heard === 'ready') return diskOf(path, holder, way.enter)
    said = heard
  }
  rmSync(path, { recursive: true, force: true })
  return { missing: `a disk cannot be mounted: ${said}` }
}

function diskOf(path: string, holder: ChildProcess, enter: readonly string[]): SmallDisk {
  const seen = `/proc/${holder.pid}/root${path}`
  const filler = join(seen, 'filler')
  return {
    path,
    seen,
    wrap: ['nsenter', '-t', String(holder.pid), ...enter, '--'],
    fill() {
      const file = openSync(filler, 'a')
      try {
        for (let block = 1 << 20; block >= 1; block = Math.floor(block / 2)) fillWith(file, Buffer.alloc(block))
      } finally {
        closeSync(file)
      }
      if (statfsSync(seen).bavail > 0) throw new Error('The disk is not full')
    },
    free: () => rmSync(filler, { force: true }),
    async close() {
      const gone = new Promise((resolve) => holder.once('exit', resolve))
      holder.stdin?.end()
      await gone
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function fillWith(file: number, block: Buffer): void {
  try {
    while (writeSync(file, block) === block.length);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

function firstWord(child: ChildProcess): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let said = ''
  child.once('error', (error) => resolve(error.message))
  child.stdout?.once('data', (bytes) => resolve(String(bytes).trim()))
  child.stderr?.on('data', (bytes) => (said += bytes))
  child.once('exit', () => resolve(said.trim()))
  return promise
}
