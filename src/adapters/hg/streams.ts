import type { CodeBytes, CodeStreams } from '../../ports/code-streams.ts'
import { HgContentRefused, HgTimeout, HgUnavailable } from '../../ports/hg.ts'
import type { HgHost } from './environment.ts'
import type { Gate } from '../code/gate.ts'
import { isNode } from './names.ts'
import { startHg } from './process.ts'
import type { HgProcess } from './process.ts'

type Streaming = { readonly host: HgHost; readonly gate: Gate; readonly at: (id: string) => string; readonly stallMs: number }

const kindOf = { zip: 'zip', 'tar.gz': 'tgz', 'tar.bz2': 'tbz2', tar: 'tar' } as const

/** What Mercurial gives piece by piece. */
function createStreams(streaming: Streaming): CodeStreams {
  const { at } = streaming
  return {
    content(id, oid, { signal }) {
      const [node = '', path = ''] = [oid.slice(0, oid.indexOf(':')), oid.slice(oid.indexOf(':') + 1)]
      // `path:` so that no letter of it is a pattern's.
      return started(streaming, at(id), ['cat', '-r', nodeOf(node), '--', `path:${path}`], signal)
    },
    archive: (id, commit, { format, prefix, signal }) =>
      started(streaming, at(id), ['archive', '--no-decode', '-t', kindOf[format], '-p', prefix, '-r', nodeOf(commit), '--', '-'], signal),
    difference: (id, commit, { form, signal }) =>
      started(streaming, at(id), form === 'diff' ? ['diff', '--git', '-c', nodeOf(commit)] : ['export', '--git', '-r', nodeOf(commit)], signal),
  }
}

// To Mercurial forty `f` are the working copy, and forty zeros what comes before everything.
function nodeOf(node: string): string {
  if (!isNode(node) || /^(?:f+|0+)$/.test(node)) throw new HgContentRefused('it is no id of a changeset')
  return node
}

async function started({ host, gate, stallMs }: Streaming, directory: string, args: readonly string[], signal: AbortSignal): Promise<CodeBytes> {
  const leave = await gate.enter(signal)
  try {
    const hg = startHg(host, ['--config', 'capstan.end=read', '-R', directory, ...args], { extra: { CAPSTAN_HG_LIMIT: 'now' } })
    void hg.exited.then(leave)
    hg.stdin.end()
    return await streamed(host, hg, { signal, stallMs })
  } catch (error) {
    leave()
    throw error
  }
}

// Resolves once hg has printed something or ended in order, so that one that fails at once is an error and not an empty answer.
async function streamed(host: HgHost, hg: HgProcess, { signal, stallMs }: { signal: AbortSignal; stallMs: number }): Promise<CodeBytes> {
  const pieces = hg.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let failure: unknown = null
  let moved = host.clock.now()
  const stop = (reason: unknown) => {
    failure ??= reason
    // Told to end it would first write what it holds, to somebody who reads no more.
    hg.stdout.destroy()
    return hg.end()
  }
  const watch = (ms: number) =>
    host.clock.after(ms, () => {
      const left = moved + stallMs - host.clock.now()
      if (left > 0) timer = watch(left)
      else void stop(new HgTimeout(`nothing moved for ${stallMs} ms`))
    })
  let timer = watch(stallMs)
  const aborted = () => void stop(signal.reason)
  signal.addEventListener('abort', aborted, { once: true })
  if (signal.aborted) aborted()
  void hg.exited.then(() => {
    timer.cancel()
    signal.removeEventListener('abort', aborted)
  })
  const read = async (): Promise<Buffer | null> => {
    const next = await pieces.next().catch(() => ({ done: true as const, value: undefined }))
    moved = host.clock.now()
    return next.done ? null : next.value
  }
  const ended = async () => {
    const code = await hg.exited
    if (failure !== null) throw failure
    if (code !== 0) throw new HgUnavailable(`hg ended with ${code}: ${hg.said()}`)
  }
  let waiting = await read()
  let finished = waiting === null
  if (finished) await ended()
  const body: CodeBytes = {
    async next(): Promise<IteratorResult<Uint8Array>> {
      const piece = waiting ?? (finished ? null : await read())
      waiting = null
      if (piece !== null) return { done: false, value: piece }
      finished = true
      await ended()
      return { done: true, value: undefined }
    },
    async return() {
      finished = true
      waiting = null
      await stop(new HgUnavailable('the answer is no longer wanted'))
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return body
    },
  }
  return body
}

export { createStreams }
