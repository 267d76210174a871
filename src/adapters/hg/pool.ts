import { HgBusy, HgContentRefused, HgUnavailable } from '../../ports/hg.ts'
import { startCommandServer } from './command-server.ts'
import { createGate } from '../code/gate.ts'
import type { CommandResult, CommandServer, RunOptions } from './command-server.ts'
import type { HgHost } from './environment.ts'

/** A bounded number of open hg processes; what nobody uses for a while is closed. */
type Pool = {
  /** Runs a command of hg. One that fails: `HgUnavailable`. */
  run(args: readonly string[], options?: Partial<RunOptions>): Promise<CommandResult>
  close(): Promise<void>
}

type PoolOptions = { readonly largest: number; readonly queue: number; readonly idleMs: number; readonly timeoutMs: number }

const defaultLimit = 128 * 1024 * 1024

function createPool(host: HgHost, options: PoolOptions): Pool {
  // The one used last is taken first: it remembers the repository that it was asked about, and the others fall idle.
  const idle: { server: CommandServer; timer: { cancel(): void } }[] = []
  const gate = createGate(host.clock, { places: options.largest, queue: options.queue, waitMs: options.timeoutMs, busy: HgBusy })
  let closed = false

  function putBack(server: CommandServer): void {
    if (closed || !server.usable()) {
      void server.end()
      return
    }
    const entry = {
      server,
      timer: host.clock.after(options.idleMs, () => {
        const at = idle.indexOf(entry)
        if (at >= 0) idle.splice(at, 1)
        void server.end()
      }),
    }
    idle.push(entry)
  }

  return {
    async run(args, given = {}) {
      const leave = await gate.enter(given.signal)
      try {
        const entry = idle.pop()
        entry?.timer.cancel()
        const server = entry?.server ?? startCommandServer(host)
        try {
          const result = await server.run(args, { timeoutMs: options.timeoutMs, limit: defaultLimit, ...given })
          if (result.code !== 0) throw failure(result)
          return result
        } finally {
          putBack(server)
        }
      } finally {
        leave()
      }
    },
    async close() {
      closed = true
      for (const { timer } of idle) timer.cancel()
      await Promise.all(idle.splice(0).map(({ server }) => server.end()))
    },
  }
}

function failure({ code, said }: CommandResult): Error {
  if (/out of memory|MemoryError/.test(said)) return new HgContentRefused(`hg may not take so much memory: ${said.slice(0, 300)}`)
  return new HgUnavailable(`hg ended with ${code}: ${said.slice(0, 1000)}`)
}

export type { Pool }
export { createPool }
