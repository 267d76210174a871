import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { constants, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { checksumsName } from './archive.ts'

type About = { readonly mode: number; readonly mtime: Date }

/** Writes an archive entry by entry, and keeps the checksum of each. */
export type TarWriter = {
  addFolder(name: string, about: About): Promise<void>
  addBytes(name: string, bytes: Buffer, about: About): Promise<void>
  /** The file as long as it is now: what is appended meanwhile is left out. False when it is not there any more, or is no regular file. */
  addFile(name: string, path: string): Promise<boolean>
  /** Files and bytes so far. */
  readonly size: { readonly files: number; readonly bytes: number }
  /** Ends the archive and resolves when it is on disk. */
  finish(): Promise<void>
  abandon(): void
}

const noFollow = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** An archive in a new file of mode 0600. */
export function writeTar(file: string): TarWriter {
  const tar = pack()
  const written = pipeline(tar, createGzip({ level: 6 }), createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true }))
  // Waited for together with every entry: a full disk must not leave us waiting for room in a pipe that nobody empties.
  const broken = written.then(
    () => new Promise<never>(() => {}),
    (error: unknown) => Promise.reject(error),
  )
  broken.catch(() => {})
  const sums: string[] = []
  const size = { files: 0, bytes: 0 }

  async function add(name: string, length: number, about: About, content: AsyncIterable<Buffer>): Promise<void> {
    const hash = createHash('sha256')
    let ended: () => void = () => {}
    let failed: (error: Error) => void = () => {}
    const done = new Promise<void>((resolve, reject) => {
      ended = resolve
      failed = reject
    })
    const entry = tar.entry({ name, size: length, mode: about.mode & 0o777, mtime: about.mtime, type: 'file' }, (error) =>
      error ? failed(error) : ended(),
    )
    const copy = async () => {
      let left = length
      for await (const chunk of content) {
        hash.update(chunk)
        left -= chunk.length
        if (!entry.write(chunk)) await once(entry, 'drain')
      }
      if (left !== 0) throw new Error(`${name} became shorter while it was read. Try again.`)
      entry.end(null)
      await done
    }
    await Promise.race([copy(), broken])
    sums.push(`${hash.digest('hex')}  ${name}\n`)
    size.files += 1
    size.bytes += length
  }

  return {
    size,
    addFolder: (name, about) =>
      Promise.race([
        new Promise<void>((resolve, reject) => {
          tar.entry({ name, mode: about.mode & 0o777, mtime: about.mtime, type: 'directory' }, (error) => (error ? reject(error) : resolve()))
        }),
        broken,
      ]),
    addBytes: (name, bytes, about) => add(name, bytes.length, about, one(bytes)),
    async addFile(name, path) {
      const handle = await open(path, noFollow).catch(absent)
      if (handle === null) return false
      try {
        const stat = await handle.stat()
        if (!stat.isFile()) return false
        await add(name, stat.size, stat, stat.size === 0 ? one(Buffer.alloc(0)) : handle.createReadStream({ end: stat.size - 1, autoClose: false }))
        return true
      } finally {
        await handle.close()
      }
    },
    async finish() {
      // Names of files hold no line ends: whoever adds them has checked that.
      const list = Buffer.from(sums.join(''))
      await add(checksumsName, list.length, { mode: 0o600, mtime: new Date(0) }, one(list))
      tar.finalize()
      await written
    },
    abandon: () => void tar.destroy(new Error('The archive is given up')),
  }
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes
}

/** Null for what is not there, or is a link; anything else is thrown. */
export function absent(error: unknown): null {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : null
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return null
  throw error
}
