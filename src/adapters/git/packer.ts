import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Writable } from 'node:stream'
import type { CodeBytes } from '../../ports/code-streams.ts'
import { GitContentRefused, GitUnavailable } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'

/** Something that bytes go through. `problem` is what went wrong in it, once its output has ended; `end` ends it early. */
type Packer = {
  readonly input: Writable
  readonly output: Readable
  readonly problem: () => Promise<unknown>
  readonly end: () => Promise<void>
}

/** Bytes as gzip packs them. */
function gzipped(bytes: CodeBytes): CodeBytes {
  const gzip = createGzip()
  const end = async () => void gzip.destroy()
  return through(bytes, { input: gzip, output: gzip, problem: async () => null, end })
}

/** Bytes as a program of the system packs them. Where there is no such program: `GitContentRefused`. */
async function packedBy(host: GitHost, program: string, bytes: CodeBytes): Promise<CodeBytes> {
  const child = spawn(program, ['-c'], { env: { PATH: host.searchPath, LANG: 'C' }, stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const end = async () => {
    child.kill('SIGKILL')
    child.stdout.destroy()
    await ended
  }
  const running = { end }
  host.children.add(running)
  void ended.then(() => host.children.delete(running))
  try {
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  } catch (error) {
    await bytes.return?.()
    throw new GitContentRefused(`there is no ${program} on this machine`, { cause: error })
  }
  const problem = async () => {
    const code = await ended
    return code === 0 ? null : new GitUnavailable(`${program} ended with ${code}`)
  }
  return through(bytes, { input: child.stdin, output: child.stdout, problem, end })
}

// No generator: one that was never read could not be ended.
function through(bytes: CodeBytes, { input, output, problem, end }: Packer): CodeBytes {
  let failure: unknown = null
  const fed = pipeline(Readable.from(bytes, { objectMode: false }), input).catch((error: unknown) => {
    failure = error
    return end()
  })
  const pieces = output[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const body: CodeBytes = {
    async next(): Promise<IteratorResult<Uint8Array>> {
      // What broke it is told by whoever broke it.
      const next = await pieces.next().catch(() => ({ done: true as const, value: undefined }))
      if (!next.done) return { done: false, value: next.value }
      await fed
      const wrong = failure ?? (await problem())
      if (wrong) throw wrong
      return { done: true, value: undefined }
    },
    async return() {
      await Promise.all([end(), bytes.return?.()])
      await fed
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return body
    },
  }
  return body
}

export { gzipped, packedBy }
