import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { callOperation } from './client.ts'
import { CommandFailure } from './exit.ts'
import type { AddressInfo } from 'node:net'

test('a server that does not answer in time is not said to be away', async () => {
  const server = createServer(() => {}) // takes every call and answers none
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    // Its signal is one of time, as the one for answers that come too late.
    const failed = await callOperation({ url, token: null }, 'server.get', {}, { signal: AbortSignal.timeout(50) }).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(CommandFailure)
    expect(failed).toMatchObject({ exit: 'tryLater', message: expect.stringContaining('has not answered in time') })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
