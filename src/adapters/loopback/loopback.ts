import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import type { Loopback } from '../../ports/loopback.ts'

// Below the ports that systems give to outgoing connections: a port found free here stays free unless somebody asks for just that one.
const lowest = 20_000
const highest = 32_000
const tries = 200
const answerWithinMs = 1000

/** Ports of 127.0.0.1. */
function createLoopback(): Loopback {
  return {
    async freePort(taken) {
      for (let attempt = 0; attempt < tries; attempt++) {
        const port = randomInt(lowest, highest)
        if (!taken.has(port) && (await isFree(port))) return port
      }
      throw new Error(`Of ${tries} ports between ${lowest} and ${highest} none was free`)
    },
    answers: (port) => {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const socket = connect({ port, host: '127.0.0.1' })
      const end = (answer: boolean) => {
        socket.destroy()
        resolve(answer)
      }
      socket.setTimeout(answerWithinMs, () => end(false))
      socket.once('connect', () => end(true)).once('error', () => end(false))
      return promise
    },
  }
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => resolve(false))
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}

export { createLoopback }
