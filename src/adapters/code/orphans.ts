import { readFile, readdir, readlink } from 'node:fs/promises'
import { sleep } from '../../core/kernel/clock.ts'
import type { Clock } from '../../core/kernel/clock.ts'

/** The children are known by a variable that only they have, `marked` (`NAME=value`), and by the program that they run. */
type Orphans = { readonly marked: string; readonly program: string; readonly clock: Clock; readonly found: (pids: readonly number[]) => void }

/**
 * Ends children that outlived a server that was killed, and waits until they are gone: one of them could change a repository after it was looked at.
 * Where /proc does not exist their input has ended, and they end by themselves.
 */
async function endOrphans({ marked, program, clock, found }: Orphans): Promise<void> {
  for (let round = 0; round < 500; round++) {
    const orphans: number[] = []
    for (const name of await readdir('/proc').catch(() => [])) {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
      const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
      if (environment.split('\0').includes(marked) && (await readlink(`/proc/${name}/exe`).catch(() => '')).includes(program))
        orphans.push(Number(name))
    }
    if (orphans.length === 0) return
    if (round === 0) found(orphans)
    for (const pid of orphans) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {} // it ended by itself
    }
    await sleep(clock, 10)
  }
}

export { endOrphans }
