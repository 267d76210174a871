import { createHash } from 'node:crypto'
import type { CodeRange } from '../../ports/code-storage.ts'
import { GitUnavailable } from '../../ports/git.ts'
import type { GitHost } from './environment.ts'
import { isOid } from './names.ts'
import { orderOf, Packed } from './order.ts'
import type { Order } from './order.ts'
import type { RefReader } from './refs.ts'
import { runGit, startGit, unavailable } from './process.ts'

/** The numbers of commits: places in the list of all commits of all refs, oldest first by the date of commit, parents always before their children. */
type History = {
  /** The order as the refs are now. */
  of(directory: string): Promise<Order>
  /** Numbers and ids of the commits in a range; of those that lead to `tip`, when there is one. */
  range(directory: string, range: Omit<CodeRange, 'branch'>, tip: string | undefined): Promise<(readonly [number: number, oid: string])[]>
  forget(directory: string): void
}

/** An order, a digest of what refs pointed at, the commits that this was, and what of the order leads to some tips. */
type Known = { readonly key: string; readonly tips: ReadonlySet<string>; readonly order: Order; readonly reach: Map<string, Uint32Array> }

const largestKept = 64 * 1024 * 1024
const mostTips = 1000
const mostBranches = 20
const budgetMs = 120_000

function createHistory(host: GitHost, refs: Pick<RefReader, 'objects'>): History {
  const kept = new Map<string, Known>()
  const soon = new Map<string, Promise<Known>>()

  async function known(directory: string): Promise<Known> {
    const before = kept.get(directory)
    const now = before && (await refs.objects(directory))
    if (before && now && keyOf(now) === before.key) return used(directory, before)
    const { key, tips } = await tipsOf(host, directory)
    const again = kept.get(directory)
    if (again?.key === key) return used(directory, again)
    const name = `${directory} ${key}`
    const found = soon.get(name) ?? build(directory, key, tips, again).finally(() => soon.delete(name))
    soon.set(name, found)
    return found
  }

  async function build(directory: string, key: string, tips: readonly string[], before: Known | undefined): Promise<Known> {
    const set = new Set(tips)
    const order = (before && (await continued(host, directory, before, set))) ?? orderOf(await walk(host, directory, tips))
    const made: Known = { key, tips: set, order, reach: new Map() }
    keep(directory, made)
    return made
  }

  function used(directory: string, one: Known): Known {
    // One that was forgotten meanwhile stays forgotten.
    if (kept.get(directory) === one) keep(directory, one)
    return one
  }

  function keep(directory: string, made: Known): void {
    kept.delete(directory)
    kept.set(directory, made)
    let total = 0
    for (const one of kept.values()) total += bytesOf(one)
    for (const [oldest, one] of kept) {
      if (total <= largestKept || kept.size === 1) break
      kept.delete(oldest)
      total -= bytesOf(one)
    }
  }

  async function reachable(directory: string, { order, reach }: Known, tip: string): Promise<Uint32Array> {
    const found = reach.get(tip)
    if (found) return found
    const walked = await walk(host, directory, [tip])
    const numbers = new Uint32Array(walked.count)
    let count = 0
    for (let at = 0; at < walked.count; at++) {
      const number = order.numberOf(walked.ids.toString('hex', at * 20, at * 20 + 20))
      if (number !== null) numbers[count++] = number
    }
    const sorted = numbers.subarray(0, count).sort()
    if (reach.size >= mostBranches) reach.clear()
    reach.set(tip, sorted)
    return sorted
  }

  return {
    of: async (directory) => (await known(directory)).order,
    async range(directory, range, tip) {
      const one = await known(directory)
      return inRange(one.order, range, tip === undefined ? null : await reachable(directory, one, tip))
    },
    forget: (directory) => void kept.delete(directory),
  }
}

function bytesOf({ order, tips, reach }: Known): number {
  let bytes = order.bytes + tips.size * 100
  for (const numbers of reach.values()) bytes += numbers.byteLength
  return bytes
}

function inRange(order: Order, range: Omit<CodeRange, 'branch'>, among: Uint32Array | null): (readonly [number, string])[] {
  const { from, to, since, until, limit } = range
  const count = among?.length ?? order.count
  const found: (readonly [number, string])[] = []
  for (let step = 0; step < count && found.length < limit; step++) {
    const place = range.order === 'oldest-first' ? step : count - 1 - step
    const number = among ? (among[place] ?? 0) : place
    if ((from !== null && number < from) || (to !== null && number > to)) continue
    const date = order.dateOf(number)
    if ((since !== null && date < since) || (until !== null && date > until)) continue
    const oid = order.commitAt(number)
    if (oid !== null) found.push([number, oid])
  }
  return found
}

function keyOf(objects: ReadonlySet<string>): string {
  return createHash('sha256')
    .update([...objects].sort().join('\n'))
    .digest('hex')
}

/** The commits that refs point at, in a fixed order, and the key of what they point at themselves. */
async function tipsOf(host: GitHost, directory: string): Promise<{ key: string; tips: string[] }> {
  const args = [`--git-dir=${directory}`, 'for-each-ref', '--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)']
  const { exit, stdout } = await runGit(host, args, { directory })
  if (exit.code !== 0) throw unavailable('for-each-ref', exit)
  const tips = new Set<string>()
  const objects = new Set<string>()
  for (const line of stdout.toString('latin1').split('\n')) {
    const [type, object = '', under, inner = ''] = line.split(' ')
    if (object !== '') objects.add(object)
    if (type === 'commit') tips.add(object)
    else if (type === 'tag') tips.add(under === 'commit' || under === 'tag' ? inner : object)
  }
  return { key: keyOf(objects), tips: [...tips].filter(isOid).sort() }
}

/**
 * The order after more was pushed, without walking again through what was there: possible when everything new is newer, and nothing is gone. Null when it
 * must be walked whole.
 */
async function continued(host: GitHost, directory: string, before: Known, tips: ReadonlySet<string>): Promise<Order | null> {
  if (before.tips.size > mostTips || tips.size > mostTips) return null
  const gone = new Set([...before.tips].filter((tip) => !tips.has(tip)))
  const fresh = [...tips].filter((tip) => !before.tips.has(tip))
  const more = await walk(host, directory, [...fresh, ...[...before.tips].map((tip) => `^${tip}`)], (parent) => gone.delete(parent))
  return gone.size === 0 && more.oldest > before.order.newest ? before.order.with(more) : null
}

async function walk(host: GitHost, directory: string, tips: readonly string[], onParent?: (parent: string) => void): Promise<Packed> {
  const packed = new Packed()
  if (!tips.some((tip) => !tip.startsWith('^'))) return packed
  const parents = onParent ? ['--parents'] : []
  const args = [`--git-dir=${directory}`, 'rev-list', '--timestamp', ...parents, '--date-order', '--reverse', '--stdin']
  const git = startGit(host, args, { directory })
  let late = false
  const timer = host.clock.after(budgetMs, () => {
    late = true
    void git.end()
  })
  try {
    git.stdin.end(`${tips.join('\n')}\n`)
    let rest = ''
    for await (const chunk of git.stdout as AsyncIterable<Buffer>) {
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const [seconds, oid = '', ...above] = line.split(' ')
        packed.add(oid, Number(seconds) * 1000)
        if (onParent) for (const parent of above) onParent(parent)
      }
    }
  } finally {
    timer.cancel()
  }
  const exit = await git.exited
  if (late) throw new GitUnavailable('the history could not be walked in time')
  if (exit.code !== 0) throw unavailable('rev-list', exit)
  return packed
}

export type { History }
export { createHistory }
