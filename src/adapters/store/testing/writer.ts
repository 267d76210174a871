/*
 * A server to be killed: opens the SQLite store of the folder given to it and accepts runs as fast as it can, printing the id of each when the store has
 * acknowledged it. Run by a test as a process of its own.
 */
import { systemClock } from '../../../core/kernel/clock.ts'
import { silentLog } from '../../../core/kernel/log.ts'
import { openSqliteStore } from '../sqlite/store.ts'
import { acceptAct, advanceAct, auditRow } from './rows.ts'

const store = await openSqliteStore({ folder: process.argv[2] ?? '', log: silentLog, clock: systemClock })
process.stdout.write('ready\n')

async function client(): Promise<never> {
  for (;;) {
    const act = acceptAct({ audit: [auditRow()] }, [{ gauge: 'target:local', amount: 1, limit: 1_000_000 }])
    await store.engine.accept(act)
    await store.engine.advance(advanceAct(act.run, { steps: [{ key: 'main', attempt: 1, patch: { state: 'succeeded' } }], run: { message: 'done' } }))
    process.stdout.write(`${act.run.id}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, () => client()))
