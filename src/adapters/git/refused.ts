import type { PushHead } from './commands.ts'
import { flushPacket, packet } from './pkt-line.ts'

/** The answer to a push that is refused before git gets any of it, in git's own form: each ref with the reason, which the client shows. */
async function* refusedPush(head: PushHead, body: AsyncIterator<Uint8Array>, why: string): AsyncGenerator<Uint8Array> {
  // The client reads nothing before it has sent everything.
  while (!(await body.next()).done);
  const { capabilities } = head
  if (!capabilities.has('report-status') && !capabilities.has('report-status-v2')) return
  const line = why.replace(/[\r\n]+/g, ' ')
  const report = Buffer.concat([packet('unpack ok\n'), ...head.commands.map(({ ref }) => packet(`ng ${ref} ${line}\n`)), flushPacket])
  const longest = capabilities.has('side-band-64k') ? 65_515 : capabilities.has('side-band') ? 995 : null
  if (longest === null) {
    yield report
    return
  }
  for (let at = 0; at < report.length; at += longest) yield packet(Buffer.concat([Buffer.of(1), report.subarray(at, at + longest)]))
  yield flushPacket
}

export { refusedPush }
