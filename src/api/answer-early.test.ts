import { connect } from 'node:net'
import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { answerEarly } from './answer-early.ts'
import { manualClock } from '../../test/support/clock.ts'
import type { AddressInfo, Socket } from 'node:net'

const text = '{"message":"too large"}'
const mebibyte = Buffer.alloc(1024 * 1024, 'x')
const closing: (() => Promise<unknown>)[] = []
afterEach(() => Promise.all(closing.splice(0).map((close) => close())))

async function open() {
  const clock = manualClock()
  const refused = Promise.withResolvers<Socket>()
  const http = fastify({ logger: false })
  http.removeAllContentTypeParsers()
  http.addContentTypeParser('*', (_request, _payload, done) => done(null))
  http.post('/', (request, reply) => {
    refused.resolve(request.raw.socket)
    reply.code(413).header('x-request-id', '7')
    return answerEarly(request, reply, clock, text)
  })
  await http.listen({ host: '127.0.0.1', port: 0 })
  const client = connect((http.server.address() as AddressInfo).port, '127.0.0.1') // it listens on a port
  let heard = ''
  client.on('data', (chunk) => {
    heard += String(chunk)
  })
  client.on('error', () => {})
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  client.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n')
  closing.push(async () => {
    client.destroy()
    await http.close()
  })
  return { clock, client, closed, server: await refused.promise, heard: () => heard }
}

test('a sender who stops hears the whole answer, and the connection is closed', async () => {
  const { client, closed, heard } = await open()
  client.write('5\r\nhello\r\n0\r\n\r\n')
  await closed
  expect(heard()).toContain('HTTP/1.1 413 ')
  expect(heard()).toContain('\r\nx-request-id: 7\r\n')
  expect(heard().endsWith(`\r\n\r\n${text}`)).toBe(true)
})

test('a sender who falls silent hears the whole answer, and is let go of after a while', async () => {
  const { clock, closed, heard } = await open()
  clock.advance(2000)
  await closed
  expect(heard().endsWith(`\r\n\r\n${text}`)).toBe(true)
})

test('of a sender who goes on no more is read than the answer needs to arrive', async () => {
  const { client, closed, server } = await open()
  const goOn = () => {
    if (!client.destroyed) client.write(Buffer.concat([Buffer.from(`${mebibyte.length.toString(16)}\r\n`), mebibyte, Buffer.from('\r\n')]), goOn)
  }
  goOn()
  await closed
  expect(server.bytesRead).toBeLessThan(24 * 1024 * 1024)
})
