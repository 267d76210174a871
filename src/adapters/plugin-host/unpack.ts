import { randomBytes } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { PluginRefused } from '../../ports/plugin-host.ts'
import type { Extract } from 'tar-stream'

const entriesLimit = 20_000
const unpackedLimit = 512 * 1024 * 1024
const prefix = 'unpacked-'

/**
 * Unpacks an archive (tar, gzipped or not) below the plugin root, all of it or nothing, and gives the path of the package. Links, devices and names that
 * lead elsewhere are refused. Throws `PluginRefused`.
 */
async function unpack(root: string, archive: AsyncIterable<Uint8Array>, { limitBytes }: { limitBytes: number }): Promise<string> {
  const name = `${prefix}${randomBytes(8).toString('hex')}`
  const stage = join(root, `.${name}`)
  mkdirSync(stage, { recursive: true, mode: 0o755 })
  try {
    const bytes = Readable.from(bounded(archive, limitBytes))
    const first = await firstOf(bytes)
    if (first.length >= 2 && first[0] === 0x50 && first[1] === 0x4b)
      throw new PluginRefused('Zip archives are not taken. Pack the package as .tar.gz.')
    const tar = extract()
    const writing = write(stage, tar)
    const packed = first[0] === 0x1f && first[1] === 0x8b
    const carrying = packed ? pipeline(bytes, createGunzip(), tar) : pipeline(bytes, tar)
    const [written, carried] = await Promise.allSettled([writing, carrying])
    // What was wrong with an entry says more than that the stream was cut off for it.
    if (written.status === 'rejected') throw written.reason
    if (carried.status === 'rejected') throw carried.reason
    const [only, second] = readdirSync(stage)
    const top = only !== undefined && second === undefined && !existsSync(join(stage, 'plugin.spec.yaml')) ? join(stage, only) : stage
    if (!existsSync(join(top, 'plugin.spec.yaml'))) throw new PluginRefused('The archive has no "plugin.spec.yaml" at its top.')
    renameSync(top, join(root, name))
    return name
  } catch (error) {
    if (error instanceof PluginRefused) throw error
    throw new PluginRefused('The archive cannot be read. Send a .tar.gz of the package.', { cause: error })
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
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

async function write(stage: string, tar: Extract): Promise<void> {
  let [count, size] = [0, 0]
  for await (const entry of tar) {
    const { type, name, mode } = entry.header
    const path = safeName(name)
    count += 1
    if (count > entriesLimit) throw new PluginRefused(`The archive holds more than ${entriesLimit} files.`)
    if (type === 'directory') {
      mkdirSync(join(stage, path), { recursive: true, mode: 0o755 })
      entry.resume()
      continue
    }
    if (type !== 'file' && type !== 'contiguous-file') throw new PluginRefused(`"${path.slice(0, 200)}" in the archive is no file (${type}).`)
    size += entry.header.size ?? 0
    if (size > unpackedLimit) throw new PluginRefused(`The archive unpacks to more than ${unpackedLimit / 1024 / 1024} MiB.`)
    mkdirSync(dirname(join(stage, path)), { recursive: true, mode: 0o755 })
    await pipeline(entry, createWriteStream(join(stage, path), { flags: 'wx', mode: (mode ?? 0) & 0o111 ? 0o755 : 0o644 }))
  }
}

function safeName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  const bad =
    name.startsWith('/') ||
    name.includes('\0') ||
    name.includes('\\') ||
    parts.includes('..') ||
    parts.length === 0 ||
    parts.length > 32 ||
    name.length > 1000
  if (bad && !/^(\.\/)*\.?$/.test(name))
    throw new PluginRefused(`The archive holds a file that cannot be put below its folder: "${name.slice(0, 200)}".`)
  return parts.join('/') || '.'
}

export { unpack, isUnpacked }
