import { HgTimeout, HgUnavailable } from '../../ports/hg.ts'
import type { HgHost } from './environment.ts'
import { startHg } from './process.ts'

/** One hg that stays open and runs commands one after the other (Mercurial's command server protocol). */
type CommandServer = {
  /** Runs a command to its end. Ended by anything that goes wrong on the way: `HgTimeout`, `HgUnavailable`, the signal's reason. */
  run(args: readonly string[], options: RunOptions): Promise<CommandResult>
  /** Whether it can take another command. */
  readonly usable: () => boolean
  end(): Promise<void>
}

type RunOptions = {
  readonly timeoutMs: number
  /** Most bytes that it may print. */
  readonly limit: number
  /** What it reads from its input. */
  readonly input?: Buffer
  readonly signal?: AbortSignal
}

/** What it printed, how it ended, and what it said about it. */
type CommandResult = { readonly code: number; readonly output: Buffer; readonly said: string }

const mostSaid = 4096
// What a process took of memory for a large answer it seldom gives back.
const mostRuns = 500
const largestKept = 32 * 1024 * 1024

function startCommandServer(host: HgHost): CommandServer {
  const hg = startHg(host, ['serve', '--cmdserver', 'pipe'], { extra: { CAPSTAN_HG_LIMIT: 'now' } })
  const frames = framesOf(hg.stdout)
  let greeted = false
  let runs = 0
  let broken = false

  async function converse(args: readonly string[], { limit, input }: RunOptions): Promise<CommandResult> {
    if (!greeted) {
      const hello = await frames.next()
      if (hello.done) throw new HgUnavailable(`hg did not start: ${hg.said()}`)
      greeted = true
    }
    const command = Buffer.from(args.join('\0'), 'utf8')
    hg.stdin.write(Buffer.concat([Buffer.from('runcommand\n'), length(command.length), command]))
    const output: Buffer[] = []
    let size = 0
    let said = ''
    let read = 0
    for (;;) {
      const next = await frames.next()
      if (next.done) throw new HgUnavailable(`hg has gone: ${said} ${hg.said()}`)
      const { channel, data, wanted } = next.value
      if (channel === 'o') {
        size += data.length
        if (size > limit) throw new HgUnavailable(`hg printed more than ${limit} bytes`)
        output.push(data)
      } else if (channel === 'e') said = (said + data.toString('utf8')).slice(0, mostSaid)
      else if (channel === 'I' || channel === 'L') {
        const piece = input?.subarray(read, read + wanted) ?? Buffer.alloc(0)
        read += piece.length
        hg.stdin.write(Buffer.concat([length(piece.length), piece]))
      } else if (channel === 'r') {
        if (size > largestKept) broken = true
        return { code: data.readInt32BE(0), output: Buffer.concat(output), said: said.trim() }
      }
    }
  }

  return {
    async run(args, options) {
      runs += 1
      const { signal, timeoutMs } = options
      let stop: (error: unknown) => void = () => {}
      const stopped = new Promise<never>((_, reject) => {
        stop = reject
      })
      const aborted = () => stop(signal?.reason)
      const timer = host.clock.after(timeoutMs, () => stop(new HgTimeout(`hg took longer than ${timeoutMs} ms`)))
      signal?.addEventListener('abort', aborted, { once: true })
      try {
        signal?.throwIfAborted()
        return await Promise.race([converse(args, options), stopped])
      } catch (error) {
        broken = true
        await hg.end()
        throw error
      } finally {
        timer.cancel()
        signal?.removeEventListener('abort', aborted)
      }
    },
    usable: () => !broken && runs < mostRuns,
    end: () => hg.end(),
  }
}

type Frame = { readonly channel: string; readonly data: Buffer; readonly wanted: number }

const largestFrame = 256 * 1024 * 1024

async function* framesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Frame> {
  let chunks: Buffer[] = []
  let size = 0
  const take = (bytes: number) => {
    const all = Buffer.concat(chunks)
    chunks = [all.subarray(bytes)]
    size -= bytes
    return all.subarray(0, bytes)
  }
  let head: { channel: string; bytes: number } | null = null
  for await (const chunk of stream) {
    chunks.push(chunk)
    size += chunk.length
    for (;;) {
      if (!head) {
        if (size < 5) break
        const start = take(5)
        head = { channel: String.fromCharCode(start[0] ?? 0), bytes: start.readUInt32BE(1) }
        if (head.channel === 'I' || head.channel === 'L') {
          yield { channel: head.channel, data: Buffer.alloc(0), wanted: head.bytes }
          head = null
          continue
        }
        if (head.bytes > largestFrame) throw new HgUnavailable('hg speaks another protocol')
      }
      if (size < head.bytes) break
      const { channel, bytes }: { channel: string; bytes: number } = head
      head = null
      yield { channel, data: take(bytes), wanted: 0 }
    }
  }
}

function length(bytes: number): Buffer {
  const four = Buffer.alloc(4)
  four.writeUInt32BE(bytes)
  return four
}

export type { CommandServer, CommandResult, RunOptions }
export { startCommandServer }
