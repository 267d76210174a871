import { crc32 } from 'node:zlib'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { shownName } from './laying.ts'
import type { Entry } from 'yauzl'
import type { Laying } from './laying.ts'

// Where a file's type stands in the modes of Unix, which archives of other systems leave empty.
const [typeBits, ofFile] = [0o170000, 0o100000]

/**
 * Lays what a zip archive holds. What counts is the directory at its end, which is judged whole before anything is written: an entry that unpacks to more than
 * is said there breaks off. Throws `PluginRefused`, or what the archive is broken by.
 */
async function unzip(archive: Buffer, laying: Laying): Promise<void> {
  // A server that is sent no zip archive does without the library.
  const { fromBufferPromise, getFileNameLowLevel } = await import('yauzl')
  // Names are decoded here, so that what is wrong with one is said as for every other archive.
  const zip = await fromBufferPromise(archive, { decodeStrings: false, validateEntrySizes: true })
  const entries: { readonly entry: Entry; readonly name: string }[] = []
  for await (const entry of zip.eachEntry()) {
    laying.reserve(entry.uncompressedSize)
    const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true)
    judge(entry, name)
    entries.push({ entry, name })
  }
  for (const { entry, name } of entries) {
    if (isFolder(name)) laying.folder(name)
    else await laying.file(name, modeOf(entry), whole(await zip.openReadStreamPromise(entry), entry, name))
  }
}

function judge(entry: Entry, name: string): void {
  if (entry.isEncrypted()) throw new PluginRefused('The archive is encrypted. Send it without a password.')
  const type = modeOf(entry) & typeBits
  if (isFolder(name)) return
  if (type !== 0 && type !== ofFile) throw new PluginRefused(`"${shownName(name)}" in the archive is no file.`)
  if (!entry.canDecodeFileData()) throw new PluginRefused(`"${shownName(name)}" is packed in a way that is not known here. Pack it by "deflate".`)
}

function isFolder(name: string): boolean {
  return name.endsWith('/')
}

function modeOf({ externalFileAttributes }: Entry): number {
  return externalFileAttributes >>> 16
}

async function* whole(content: AsyncIterable<Buffer>, { crc32: wanted }: Entry, name: string): AsyncGenerator<Buffer> {
  let sum = 0
  for await (const chunk of content) {
    sum = crc32(chunk, sum)
    yield chunk
  }
  if (sum !== wanted) throw new PluginRefused(`"${shownName(name)}" in the archive is damaged. Send it again.`)
}

export { unzip }
