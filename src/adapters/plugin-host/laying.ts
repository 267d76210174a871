import { createWriteStream, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { PluginRefused } from '../../ports/plugin-host.ts'

const entriesLimit = 20_000
const unpackedLimit = 512 * 1024 * 1024

/** Lays what an archive holds below a folder, one thing after the other. Throws `PluginRefused` for what does not belong there. */
type Laying = {
  /** Counts one more thing of this size; refuses what would be too much in all. Before it is laid. */
  reserve(size: number): void
  folder(name: string): void
  /** The content has the size that was reserved for it. `mode` counts only for whether it may be run. */
  file(name: string, mode: number, content: AsyncIterable<unknown>): Promise<void>
}

/** Lays things below this folder. */
function layBelow(stage: string): Laying {
  let [count, total] = [0, 0]
  return {
    reserve(size) {
      count += 1
      total += size
      if (count > entriesLimit) throw new PluginRefused(`The archive holds more than ${entriesLimit} files.`)
      if (total > unpackedLimit) throw new PluginRefused(`The archive unpacks to more than ${unpackedLimit / 1024 / 1024} MiB.`)
    },
    folder: (name) => void mkdirSync(join(stage, safeName(name)), { recursive: true, mode: 0o755 }),
    async file(name, mode, content) {
      const path = join(stage, safeName(name))
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
      await pipeline(content, createWriteStream(path, { flags: 'wx', mode: mode & 0o111 ? 0o755 : 0o644 }))
    },
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
    throw new PluginRefused(`The archive holds a file that cannot be put below its folder: "${shownName(name)}".`)
  return parts.join('/') || '.'
}

/** A name from an archive, for a message. */
function shownName(name: string): string {
  return name.slice(0, 200)
}

export type { Laying }
export { layBelow, shownName }
