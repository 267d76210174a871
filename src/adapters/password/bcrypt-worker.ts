import { parentPort } from 'node:worker_threads'
import { compareSync } from 'bcryptjs'

type BcryptOrder = { readonly id: number; readonly password: string; readonly hash: string }
type BcryptReply = { readonly id: number; readonly fits: boolean }

parentPort?.on('message', ({ id, password, hash }: BcryptOrder) => {
  parentPort?.postMessage({ id, fits: compareSync(password, hash) } satisfies BcryptReply)
})

export type { BcryptOrder, BcryptReply }
