import { parentPort } from 'node:worker_threads'
import { matchPattern } from './pattern-work.ts'
import type { PatternOrder, PatternReply } from './pattern-work.ts'

parentPort?.on('message', ({ id, order }: { id: number; order: PatternOrder }) => {
  parentPort?.postMessage(reply(id, order))
})

parentPort?.postMessage('ready')

function reply(id: number, order: PatternOrder): PatternReply {
  try {
    return { id, result: matchPattern(order) }
  } catch (error) {
    return { id, refused: error instanceof Error ? error.message : String(error) }
  }
}
