import { HgUnavailable } from '../../ports/hg.ts'
import { startHg } from './process.ts'
import type { HgHost } from './environment.ts'
import type { HgProcess } from './process.ts'
import type { Pushes } from './pushes.ts'

/** The two processes that speak Mercurial's protocol, each on a unix socket of its own: one that cannot write, and one that can. */
type Ends = {
  /** Gives the socket of an end, started when it is not there. What it gives is used until `leave` is called. */
  use(kind: EndKind): Promise<{ socket: string; leave: () => void }>
  close(): Promise<void>
}

type EndKind = 'read' | 'write'

type End = { readonly hg: HgProcess; readonly ready: Promise<string>; users: number; timer: { cancel(): void } | null; over: boolean }

type EndsOptions = { readonly idleMs: number; readonly startMs: number; readonly secondsOfOne: number }

function createEnds(host: HgHost, pushes: Pushes, options: EndsOptions): Ends {
  const running = new Map<EndKind, End>()
  let count = 0

  function start(kind: EndKind): End {
    count += 1
    const socket = `${host.scratch}/${kind}-${count}`
    const config = kind === 'write' ? ['capstan.end=write', `capstan.socket=${pushes.socket}`, 'web.allow-push=*'] : ['capstan.end=read']
    const hg = startHg(host, ['capstan-serve', socket, host.root], { config, extra: { CAPSTAN_HG_SECONDS: String(options.secondsOfOne) } })
    const end: End = { hg, ready: ready(hg, socket), users: 0, timer: null, over: false }
    end.ready.catch(() => hg.end())
    void hg.exited.then(() => {
      end.over = true
      if (hg.said()) host.log.warn('hg.end_said', { kind, said: hg.said() })
      if (running.get(kind) === end) running.delete(kind)
    })
    running.set(kind, end)
    return end
  }

  async function ready(hg: HgProcess, socket: string): Promise<string> {
    const timer = host.clock.after(options.startMs, () => void hg.end())
    try {
      for await (const chunk of hg.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) if (chunk.includes('ready')) return socket
    } finally {
      timer.cancel()
    }
    throw new HgUnavailable(`the end of hg did not start: ${hg.said()}`)
  }

  return {
    async use(kind) {
      const end = running.get(kind) ?? start(kind)
      end.users += 1
      end.timer?.cancel()
      end.timer = null
      let held = true
      const leave = () => {
        if (!held) return
        held = false
        end.users -= 1
        if (end.users > 0 || end.over) return
        end.timer = host.clock.after(options.idleMs, () => {
          if (running.get(kind) === end) running.delete(kind)
          void end.hg.end()
        })
      }
      try {
        return { socket: await end.ready, leave }
      } catch (error) {
        leave()
        throw error
      }
    },
    async close() {
      for (const { timer } of running.values()) timer?.cancel()
      await Promise.all([...running.values()].map(({ hg }) => hg.end()))
    },
  }
}

export type { Ends, EndKind }
export { createEnds }
