import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

const postgres = await startPostgres({ durable: false })
const skip = 'missing' in postgres ? postgres.missing : null

// Two real programs over one database and one data folder.
describe.skipIf(skip)(skip ? `webhooks of two servers (skipped: ${skip})` : 'webhooks of two servers', () => {
  const told: string[] = []
  let one: Server
  let two: Server
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => {
      told.push(String(request.headers['x-capstan-delivery']))
      response.end()
    })
  })

  beforeAll(async () => {
    if ('missing' in postgres) return
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const environment = { CAPSTAN_DATABASE_URL: await postgres.database(), CAPSTAN_EGRESS_ALLOW: '127.0.0.1/32' }
    one = await startServer({ environment })
    two = await startServer({ environment: { ...environment, CAPSTAN_DATA: one.data } })
    await one.admin.ok('repository.create', { path: 'shared' })
    await one.admin.ok('webhook.create', { repository: 'shared', url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` })
  }, 60_000)
  afterAll(async () => {
    receiver.close()
    receiver.closeAllConnections()
    await two?.close()
    await one?.close()
    if (!('missing' in postgres)) await postgres.stop()
  })

  const commit = (server: Server, at: number) =>
    server.admin.ok('repository.commit-files', { repository: 'shared', branch: `b${at}`, message: 'x', files: [{ path: 'a', text: String(at) }] })

  test('each delivery is sent by one of them, whichever the event came through', async () => {
    await Promise.all(Array.from({ length: 16 }, (_, at) => commit(at % 2 ? one : two, at)))
    await until('all were told', () => new Set(told).size === 16)
    const { items } = await one.admin.ok('webhook.list', { repository: 'shared' })
    await until('all are on record', async () => {
      const page = await two.admin.ok('webhook.list-deliveries', { webhook: items[0].id })
      return page.items.length === 16 && page.items.every(({ state }: { state: string }) => state === 'delivered')
    })
    expect(told).toHaveLength(16)
  }, 60_000)

  test('when one of them is killed, the other tells of what comes next', async () => {
    await one.kill()
    await commit(two, 99)
    await until('it was told', () => told.length === 17, 40_000)
  }, 60_000)
})
