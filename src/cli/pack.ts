import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'
import { CommandFailure } from './exit.ts'

// What lies about in a folder that is worked in and is no part of a package.
const leftOut: ReadonlySet<string> = new Set(['.git', '.hg', '__pycache__', 'node_modules', '.venv'])
// Before it is read: a server takes less.
const mostBytes = 64 * 1024 * 1024

/** An archive in base64: that of a file, or one made of a folder as it stands, without links. */
async function packed(place: string): Promise<string> {
  try {
    const found = await stat(place)
    if (!found.isDirectory()) {
      if (found.size > mostBytes) throw tooLarge(place)
      return (await readFile(place)).toString('base64')
    }
    return (await archiveOf(place)).toString('base64')
  } catch (error) {
    if (error instanceof CommandFailure) throw error
    throw new CommandFailure('usage', `${place} cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : String(error)}).`)
  }
}

async function archiveOf(folder: string): Promise<Buffer> {
  const files = await filesIn(folder, '')
  const sizes = await Promise.all(files.map((name) => stat(join(folder, name))))
  if (sizes.reduce((sum, { size }) => sum + size, 0) > mostBytes) throw tooLarge(folder)
  const tar = pack()
  const chunks: Buffer[] = []
  const read = pipeline(tar, createGzip(), async (bytes: AsyncIterable<Buffer>) => {
    for await (const chunk of bytes) chunks.push(chunk)
  })
  for (const [index, name] of files.entries()) {
    tar.entry({ name, mode: (sizes[index]?.mode ?? 0o644) & 0o777 }, await readFile(join(folder, name)))
  }
  tar.finalize()
  await read
  return Buffer.concat(chunks)
}

async function filesIn(folder: string, below: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    if (leftOut.has(entry.name)) continue
    const name = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) found.push(...(await filesIn(folder, name)))
    else if (entry.isFile()) found.push(name)
  }
  return found.sort()
}

function tooLarge(place: string): CommandFailure {
  return new CommandFailure('usage', `${place} is larger than 64 MiB: no server takes that as a package.`)
}

export { packed }
