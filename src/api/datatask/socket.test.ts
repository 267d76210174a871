import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { job, openDeployLab } from './deploy-lab.suite.ts'
import type { DeployLab, Person } from './deploy-lab.suite.ts'

let lab: DeployLab
let ann: Person
let port: number

beforeAll(async () => {
  lab = await openDeployLab()
  ann = await lab.person('ann')
  await lab.repository('weather', { 'fetch/manifest.json': job }, { owner: ann.principal })
  await lab.http.listen({ host: '127.0.0.1', port: 0 })
  const address = lab.http.server.address()
  port = typeof address === 'object' && address ? address.port : 0
})
afterAll(() => lab.close())

/** Sends bytes as they are and gives everything that comes back until the server closes. */
function exchange(pieces: readonly (string | Buffer)[]): Promise<{ text: string; sent: number }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    let sent = 0
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.once('error', (error) => (text ? resolve({ text, sent }) : reject(error)))
    socket.once('close', () => resolve({ text, sent }))
    const next = (index: number) => {
      const piece = pieces[index]
      if (piece === undefined || socket.destroyed) return
      // What is written after the other end has closed is refused here and never leaves.
      socket.write(piece, (refused) => {
        if (refused) return
        sent += piece.length
        next(index + 1)
      })
    }
    next(0)
  })
}

const head = (more: string, path = '/v2/task/elaborate/deploy/weather/fetch') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.key}\r\nContent-Type: application/json\r\n${more}\r\n\r\n`

test('a body that says it is too large is refused before it is read, and the connection is closed', async () => {
  const { text } = await exchange([head('Content-Length: 999999999999')])
  expect(text).toMatch(/^HTTP\/1\.1 413 /)
  expect(text).toMatch(/connection: close/i)
  expect(text).toContain('"code":"payload_too_large"')
})

test('a body that turns out to be too large is refused while it arrives, and its sender gets to read why', async () => {
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x20), Buffer.from('\r\n')])
  const { text } = await exchange([head('Transfer-Encoding: chunked'), ...Array.from({ length: 40 }, () => chunk), '0\r\n\r\n'])
  expect(text).toMatch(/^HTTP\/1\.1 413 /)
  expect(text).toContain('payload_too_large')
})

test('an endless body is cut off', async () => {
  const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(0x100000, 0x20), Buffer.from('\r\n')])
  const { text, sent } = await exchange([head('Transfer-Encoding: chunked'), ...Array.from({ length: 200 }, () => chunk)])
  expect(text).toContain('payload_too_large')
  expect(sent).toBeLessThan(150 * 1024 * 1024)
})

test('who has no identity is told so before the body is looked at', async () => {
  const request = `POST /v2/task/elaborate/deploy/weather/fetch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ;;;\r\nContent-Length: 3\r\n\r\nabc`
  expect((await exchange([request])).text).toContain('identity_required')
})

test('a content type that cannot be read, and a body in an unknown one, are 415 for who may ask', async () => {
  for (const type of [';;;', 'text/plain', 'application/xml']) {
    const request = `POST /v2/task/elaborate/deploy/weather/fetch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${ann.key}\r\nContent-Type: ${type}\r\nContent-Length: 3\r\n\r\nabc`
    expect((await exchange([request])).text).toContain('unsupported_media_type')
  }
})

test('two Identity headers are refused', async () => {
  const request = `GET /v1/task/deploy/weather/fetch HTTP/1.1\r\nHost: x\r\nConnection: close\r\nIdentity: ann\r\nIdentity: bob\r\n\r\n`
  expect((await exchange([request])).text).toContain('invalid_parameter')
})

test('broken percent-encoding is invalid_parameter in the form of this API', async () => {
  const { text } = await exchange(['GET /v1/task/state/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'])
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
  expect(text).toContain('"code":"invalid_parameter"')
})

test.each(['../fetch', '%2e%2e/fetch', 'weather/..', 'weather/%2E', 'weather/fetch%2F..'])('%s leads nowhere, sent as it is', async (path) => {
  const request = `GET /v1/task/deploy/${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${ann.key}\r\n\r\n`
  const { text } = await exchange([request])
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
  expect(text).toContain('"code":"invalid_parameter"')
})

test('a HEAD of a deploy deploys nothing', async () => {
  const request = `HEAD /v1/task/deployas/weather/fetch/headed HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${ann.key}\r\n\r\n`
  expect((await exchange([request])).text).toMatch(/^HTTP\/1\.1 405 /)
  expect((await lab.get(null, '/v1/list/tasks')).text).not.toContain('headed')
})
