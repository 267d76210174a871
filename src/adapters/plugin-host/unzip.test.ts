import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32, deflateRawSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PluginRefused } from '../../ports/plugin-host.ts'
import { unpack } from './unpack.ts'

type File = {
  readonly name: string
  readonly content?: string | Buffer
  /** As Unix has it; 0: of a system that has none. */
  readonly mode?: number
  readonly stored?: boolean
  /** What the directory says in place of the truth. */
  readonly says?: Partial<{ size: number; packed: number; crc: number; method: number; flags: number; at: number }>
}

const spec: File = { name: 'plugin.spec.yaml', content: 'name: zipped\n' }

/** A zip archive of these files, as honest as they are. */
function zipOf(files: readonly File[], { count = files.length }: { count?: number } = {}): Buffer {
  const local: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, content = '', mode = 0o100644, stored = false, says = {} } of files) {
    const plain = Buffer.from(content)
    const packed = stored ? plain : deflateRawSync(plain)
    const label = Buffer.from(name)
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(says.flags ?? 0x800, 2)
    head.writeUInt16LE(says.method ?? (stored ? 0 : 8), 4)
    head.writeUInt32LE(says.crc ?? crc32(plain), 10)
    head.writeUInt32LE(says.packed ?? packed.length, 14)
    head.writeUInt32LE(says.size ?? plain.length, 18)
    head.writeUInt16LE(label.length, 22)
    local.push(Buffer.from('PK\x03\x04', 'latin1'), head, label, packed)
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE((mode << 16) >>> 0, 6)
    rest.writeUInt32LE(says.at ?? at, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), head, rest, label)
    at += 30 + label.length + packed.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(count & 0xffff, 8)
  end.writeUInt16LE(count & 0xffff, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...local, listed, end])
}

let home = ''
let root = ''
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'capstan-unzip-'))
})
beforeEach(() => {
  root = mkdtempSync(join(home, 'root-'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
}
const unpacked = (bytes: Buffer, { pieces = 65_536, limitBytes = 64 * 1024 * 1024 } = {}) => unpack(root, inPieces(bytes, pieces), { limitBytes })
async function refused(bytes: Buffer, options?: Parameters<typeof unpacked>[1]): Promise<string> {
  const error = await unpacked(bytes, options).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(PluginRefused)
  expect(readdirSync(root), 'nothing is left of it').toEqual([])
  expect(readdirSync(home).every((name) => name.startsWith('root-'))).toBe(true)
  return (error as PluginRefused).message
}
const read = (package_: string, ...path: string[]) => readFileSync(join(root, package_, ...path), 'utf8')

describe('a zip archive', () => {
  test('is laid below the root with its folders and what may be run, packed or stored, in one piece or many', async () => {
    const text = 'x'.repeat(200_000)
    const files: File[] = [
      { name: 'tickets/', mode: 0o40755 },
      { ...spec, name: 'tickets/plugin.spec.yaml' },
      { name: 'tickets/bin/icon_tickets', content: '#!/bin/sh\n', mode: 0o100755, stored: true },
      { name: 'tickets/lib/über.txt', content: text },
      { name: 'tickets/empty', stored: true, mode: 0 },
    ]
    for (const pieces of [7000, 1_000_000]) {
      const name = await unpacked(zipOf(files), { pieces })
      expect(read(name, 'plugin.spec.yaml')).toBe('name: zipped\n')
      expect(read(name, 'lib', 'über.txt')).toBe(text)
      expect(read(name, 'empty')).toBe('')
      expect(statSync(join(root, name, 'bin/icon_tickets')).mode & 0o777).toBe(0o755)
      expect(statSync(join(root, name, 'plugin.spec.yaml')).mode & 0o777).toBe(0o644)
    }
  })

  test('keeps no rights but reading and running, whatever it says', async () => {
    const name = await unpacked(
      zipOf([
        { ...spec, mode: 0o104777 },
        { name: 'bin/x', mode: 0o106711 },
      ]),
    )
    expect(statSync(join(root, name, 'plugin.spec.yaml')).mode & 0o7777).toBe(0o755)
    expect(statSync(join(root, name, 'bin/x')).mode & 0o7777).toBe(0o755)
  })

  test('with names that lead elsewhere is refused', async () => {
    for (const name of [
      '../escaped',
      '/etc/escaped',
      'a/../../escaped',
      'C:\\escaped',
      '..\\escaped',
      'a\0b',
      '..',
      'a/..',
      'x'.repeat(1001),
      'a/'.repeat(40),
    ])
      expect(await refused(zipOf([spec, { name, content: 'x' }])), JSON.stringify(name.slice(0, 20))).toContain('cannot be put below its folder')
  })

  test('with links and devices is refused', async () => {
    for (const mode of [0o120777, 0o060644, 0o020644, 0o010644, 0o140755, 0o040755]) {
      expect(await refused(zipOf([spec, { name: 'link', content: '/etc/passwd', mode }]))).toContain('is no file')
    }
  })

  test('with one name twice is refused, and so is a file that is a folder elsewhere', async () => {
    await refused(zipOf([spec, spec]))
    await refused(zipOf([spec, { name: 'a', content: 'x' }, { name: 'a/b', content: 'x' }]))
  })

  test('that would fill the disk is refused by what it says, before anything of that is written', async () => {
    expect(await refused(zipOf([spec, { name: 'a', content: 'x', says: { size: 513 * 1024 * 1024 } }]))).toContain('more than 512 MiB')
    // Entries that share their bytes count each.
    const content = Buffer.alloc(60 * 1024 * 1024)
    const first: File = { name: 'a', content }
    const shared = { packed: deflateRawSync(content).length, size: content.length, crc: crc32(content), at: 0 }
    const sharing = Array.from({ length: 9 }, (_, at): File => ({ name: `b${at}`, content: '', says: shared }))
    expect(await refused(zipOf([first, spec, ...sharing]))).toContain('more than 512 MiB')
    const many = Array.from({ length: 20_001 }, (_, at): File => ({ name: `f${at}`, stored: true }))
    expect(await refused(zipOf([spec, ...many]))).toContain('more than 20000 files')
  }, 60_000)

  test('that unpacks to more or less than it says is refused', async () => {
    const content = 'y'.repeat(5_000_000)
    for (const size of [10, 0, 4_999_999, 5_000_001]) await refused(zipOf([spec, { name: 'a', content, says: { size } }]))
  })

  test('that is damaged, cut off or no archive is refused', async () => {
    expect(await refused(zipOf([spec, { name: 'a', content: 'abc', says: { crc: 7 } }]))).toContain('is damaged')
    const good = zipOf([spec, { name: 'a', content: 'abc'.repeat(1000) }])
    for (const length of [4, 20, 60, good.length - 30, good.length - 22, good.length - 1]) await refused(good.subarray(0, length))
    await refused(zipOf([spec], { count: 3 }))
    await refused(zipOf([{ ...spec, says: { at: 0x7fffffff } }]))
    await refused(zipOf([{ ...spec, says: { packed: 0x7fffffff } }]))
    for (let at = 0; at < 40; at++) {
      const wrong = Buffer.from(good)
      const place = good.length - 1 - ((at * 37) % (good.length - 4))
      wrong[place] = (wrong[place] ?? 0) ^ 0xff
      // Some bytes mean nothing; whatever comes of the others, it is refused and not thrown about.
      const made = await unpacked(wrong).catch((error: unknown) => error)
      if (typeof made === 'string') rmSync(join(root, made), { recursive: true })
      else expect(made).toBeInstanceOf(PluginRefused)
    }
  })

  test('that is encrypted, packed otherwise, empty or without a spec is refused, and told why', async () => {
    expect(await refused(zipOf([{ ...spec, says: { flags: 1 } }]))).toContain('encrypted')
    expect(await refused(zipOf([{ ...spec, says: { method: 12 } }]))).toContain('"deflate"')
    expect(await refused(zipOf([]))).toContain('plugin.spec.yaml')
    expect(await refused(zipOf([{ name: 'a', content: 'x' }]))).toContain('plugin.spec.yaml')
    expect(await refused(zipOf([spec]), { limitBytes: 100 })).toContain('larger than')
  })
})

test('a tar archive whose first file begins with "PK" is a tar archive', async () => {
  const tar = pack()
  tar.entry({ name: 'PK/plugin.spec.yaml' }, 'name: zipped\n')
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer) // bytes are all that it gives
  const name = await unpacked(Buffer.concat(chunks))
  expect(read(name, 'plugin.spec.yaml')).toBe('name: zipped\n')
})
