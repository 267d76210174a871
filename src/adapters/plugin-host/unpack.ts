import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { layBelow, shownName } from './laying.ts'
import { unzip } from './unzip.ts'
import type { Extract } from 'tar-stream'
import type { Laying } from './laying.ts'

const prefix = 'unpacked-'

/**
 * Unpacks an archive (tar, gzipped or not, or zip) below the plugin root, all of it or nothing, and gives the path of the package. Links, devices and names that
 * lead elsewhere are refused. Throws `PluginRefused`.
 */
async function unpack(root: string, archive: AsyncIterable<Uint8Array>, { limitBytes }: { limitBytes: number }): Promise<string> {
  const name = `${prefix}${randomBytes(8).toString('hex')}`
  const stage = join(root, `.${name}`)
  mkdirSync(stage, { recursive: true, mode: 0o755 })
  try {
    const bytes = Readable.from(bounded(archive, limitBytes))
    const first = await firstOf(bytes)
    const laying = layBelow(stage)
    // Where a zip archive ends says what it holds, so it is read when all of it is there.
    if (isZip(first)) await unzip(await all(bytes), laying)
    else await unpackTar(bytes, laying, { gzipped: first[0] === 0x1f && first[1] === 0x8b })
    const [only, second] = readdirSync(stage)
    const top = only !== undefined && second === undefined && !existsSync(join(stage, 'plugin.spec.yaml')) ? join(stage, only) : stage
    if (!existsSync(join(top, 'plugin.spec.yaml'))) throw new PluginRefused('The archive has no "plugin.spec.yaml" at its top.')
    renameSync(top, join(root, name))
    return name
  } catch (error) {
    if (error instanceof PluginRefused) throw error
    throw new PluginRefused('The archive cannot be read. Send a .tar.gz or a .zip of the package.', { cause: error })
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

// "PK" alone may be the name of the first file of a tar archive.
function isZip([one, two, three = 0]: Uint8Array): boolean {
  return one === 0x50 && two === 0x4b && (three === 3 || three === 5 || three === 7)
}

/** Whether a path was made by `unpack`. */
function isUnpacked(path: string): boolean {
  return /^unpacked-[0-9a-f]{16}$/.test(path)
}

async function* bounded(archive: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of archive) {
    size += chunk.length
    if (size > limit) throw new PluginRefused(`The archive is larger than ${Math.floor(limit / 1024 / 1024)} MiB.`)
    yield chunk
  }
}

// The first bytes say what it is; they go back for the reader.
async function firstOf(bytes: Readable): Promise<Uint8Array> {
  for (;;) {
    const chunk = bytes.read() as Uint8Array | null // a stream of what `bounded` gives
    if (chunk !== null) {
      bytes.unshift(chunk)
      return chunk
    }
    if (bytes.readableEnded || bytes.errored) throw bytes.errored ?? new PluginRefused('The archive is empty.')
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const event of ['readable', 'end', 'error']) bytes.off(event, done)
        resolve()
      }
      for (const event of ['readable', 'end', 'error']) bytes.once(event, done)
    })
  }
}

async function unpackTar(bytes: Readable, laying: Laying, { gzipped }: { gzipped: boolean }): Promise<void> {
  const tar = extract()
  const writing = untar(tar, laying)
  const carrying = gzipped ? pipeline(bytes, createGunzip(), tar) : pipeline(bytes, tar)
  const [written, carried] = await Promise.allSettled([writing, carrying])
  // What was wrong with an entry says more than that the stream was cut off for it.
  if (written.status === 'rejected') throw written.reason
  if (carried.status === 'rejected') throw carried.reason
}

async function untar(tar: Extract, laying: Laying): Promise<void> {
  for await (const entry of tar) {
    const { type, name, mode, size } = entry.header
    laying.reserve(size ?? 0)
    if (type === 'directory') {
      laying.folder(name)
      entry.resume()
      continue
    }
    if (type !== 'file' && type !== 'contiguous-file') throw new PluginRefused(`"${shownName(name)}" in the archive is no file (${type}).`)
    await laying.file(name, mode ?? 0, entry)
  }
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export { unpack, isUnpacked }
