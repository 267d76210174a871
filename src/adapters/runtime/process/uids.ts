import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync, realpathSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { StartError } from '../../../ports/runtime.ts'
import { isCode } from './folder.ts'

type UidRange = { readonly first: number; readonly count: number }

/** User ids that one piece of work has for itself: so none can signal, trace or read another, with or without namespaces. */
type Uids = { take(name: string): number; release(uid: number): void }

/**
 * Ids of a range, each reserved by a link in `<root>/.uids` that names its owner: several servers of one host may share the folder, and a reservation
 * outlives them. One whose owner's folder is gone is free.
 */
function createUids(root: string, range: UidRange): Uids {
  const folder = join(root, '.uids')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Another installation on this host counts in a folder of its own: two that began at the same id would end each other's work when they end their own.
  let next = createHash('sha256').update(realpathSync(root)).digest().readUInt32BE() % range.count

  const reserve = (uid: number, name: string): boolean => {
    const path = join(folder, String(uid))
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        symlinkSync(name, path)
        return true
      } catch (error) {
        if (!isCode(error, 'EEXIST')) throw error
        if (existsSync(join(root, ownerOf(path)))) return false
        release(path)
      }
    }
    return false
  }

  return {
    take(name) {
      for (let tried = 0; tried < range.count; tried++) {
        const uid = range.first + next
        next = (next + 1) % range.count
        if (reserve(uid, name)) return uid
      }
      throw new StartError('All user ids for work are in use here. Wait until some work has ended, or widen the range.', { retry: true })
    },
    release: (uid) => release(join(folder, String(uid))),
  }
}

function ownerOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '.nobody'
  }
}

function release(path: string): void {
  try {
    unlinkSync(path)
  } catch {}
}

export type { UidRange, Uids }
export { createUids }
