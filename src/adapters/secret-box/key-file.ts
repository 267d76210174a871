import { closeSync, fchmodSync, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'

const bytes = 32

/**
 * The 256-bit key in a file, made at random when there is none: mode 0600 in a folder of mode 0700, on disk before it is used. Throws one line for the
 * operator when the file holds anything else: a key that is replaced in silence would lose everything that was sealed with it.
 */
export function loadKey(file: string): Buffer {
  return readKey(file) ?? makeKey(file)
}

function readKey(file: string): Buffer | null {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    throw error
  }
  try {
    const key = readFileSync(descriptor)
    if (key.length !== bytes)
      throw new Error(`The key file ${file} is damaged: it has ${key.length} bytes instead of ${bytes}. Restore it from a backup.`)
    if ((fstatSync(descriptor).mode & 0o077) !== 0) fchmodSync(descriptor, 0o600)
    return key
  } finally {
    closeSync(descriptor)
  }
}

// Written whole under another name and then linked: a crash never leaves half a key, and of two first starts at once one wins and both use its key.
function makeKey(file: string): Buffer {
  const folder = dirname(file)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${randomBytes(8).toString('hex')}.new`)
  const descriptor = openSync(draft, 'wx', 0o600)
  try {
    writeSync(descriptor, randomBytes(bytes))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  try {
    linkSync(draft, file)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    unlinkSync(draft)
  }
  syncFolder(folder)
  const key = readKey(file)
  if (!key) throw new Error(`The key file ${file} vanished while it was made.`)
  return key
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === code
}
