import { closeSync, fsyncSync, openSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Answer, Order } from './maintenance.ts'

/*
 * What takes long and needs nothing of the server: moving committed pages from the write-ahead log into the database, and making a backup. It has a
 * thread and a connection of its own, so that no request waits for it.
 */

const db = new DatabaseSync((workerData as { file: string }).file, { timeout: 2000 }) // given by maintenance.ts
db.exec('pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma cache_size = -1000')

parentPort?.on('message', (order: Order) => {
  try {
    parentPort?.postMessage({ id: order.id, frames: perform(order) } satisfies Answer)
  } catch (error) {
    parentPort?.postMessage({ id: order.id, error: error instanceof Error ? error.message : String(error) } satisfies Answer)
  }
})

function perform(order: Order): number {
  if (order.what === 'backup') {
    backup(order.file)
    return 0
  }
  const row = db.prepare(`pragma wal_checkpoint(${order.what})`).get()
  return Number(row?.log ?? 0)
}

// `vacuum into` reads one snapshot, so writes that go on meanwhile neither disturb it nor make it start again.
function backup(file: string): void {
  closeSync(openSync(file, 'wx', 0o600))
  try {
    db.prepare('vacuum into ?').run(file)
    sync(file)
    sync(dirname(file))
  } catch (error) {
    unlinkSync(file)
    throw error
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}
