import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { endSilent } from './silence.ts'

const idleMs = 150

async function start(): Promise<number> {
  const http = fastify()
  endSilent(http, idleMs)
  http.post('/slow', () => 'never')
  http.get('/slow', () => new Promise((resolve) => setTimeout(() => resolve('at last'), idleMs * 5)))
  http.get('/stalled', (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200).write('begun')
  })
  await http.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    http.server.closeAllConnections()
    await http.close()
  })
  return (http.server.address() as AddressInfo).port
}

/** What a connection hears until it is closed from the other end. */
function hear(port: number, said: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(said))
    let heard = ''
    socket.on('data', (chunk) => (heard += chunk))
    socket.on('error', () => {})
    socket.on('close', () => resolve(heard))
  })
}

test('who waits for our answer is not cut off, however long it takes', async () => {
  const port = await start()
  expect(await (await fetch(`http://127.0.0.1:${port}/slow`)).text()).toBe('at last')
})

test.each([
  ['that says nothing', ''],
  ['whose request does not come to its end', 'POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\nabc'],
  ['whose answer has begun and does not go on', 'GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n'],
])('a connection %s is cut', async (_, said) => {
  const port = await start()
  expect(await hear(port, said)).not.toContain('at last')
})
