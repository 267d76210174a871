import { Agent } from 'node:http'
import type { Duplex } from 'node:stream'

const most = 4
const mostOfOne = 2
// Less than a child waits (capstan_hg.py), so that it is seldom gone when it is asked.
const keptMs = 2000

/**
 * The ways to children of the read end that wait for one more request, four at most. A way belongs to the socket of an end and to a repository, so that
 * none leads from one of either to another.
 */
class Lingering extends Agent {
  constructor() {
    super({ keepAlive: true, maxFreeSockets: mostOfOne, timeout: keptMs })
  }

  // Its types say that nothing is given; whether the way is kept is what is asked for.
  override keepSocketAlive(socket: Duplex): boolean {
    const waiting = Object.values(this.freeSockets).reduce((count, sockets) => count + (sockets?.length ?? 0), 0)
    return waiting < most && (super.keepSocketAlive(socket) as unknown as boolean)
  }
}

export { Lingering }
