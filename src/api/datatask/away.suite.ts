import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { table } from './contract-table.suite.ts'
import { fittingRequest, openWorld, send, undo } from './contract-world.suite.ts'
import type { TestPostgres } from '../../../test/support/postgres.ts'
import type { World } from './contract-world.suite.ts'
import type { Labs } from './deploy-lab.suite.ts'

/** The store goes away in the middle of the day and comes back. For the last suite of a PostgreSQL. */
export function awaySuite(labs: Labs, postgres: TestPostgres): void {
  describe(`the Deploy API while ${labs.store} is away`, () => {
    let world: World
    beforeAll(async () => {
      world = await openWorld(labs)
    })
    afterAll(() => world.lab.close())

    test('every route says 503 and when to come back, and all work again afterwards', async () => {
      const asked = await Promise.all(table.map(async (row) => [row, await fittingRequest(world, row)] as const))
      await postgres.kill()
      for (const [row, request] of asked) {
        const answer = await send(world, row, request)
        expect([row.path, answer.status, answer.json.error?.code]).toEqual([row.path, 503, 'store_unavailable'])
        expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
        expect(answer.text).not.toMatch(/ECONN|127\.0\.0\.1|postgres|terminat/i)
      }
      await postgres.restart()
      for (const row of table) {
        const request = await fittingRequest(world, row)
        await expect.poll(async () => (await send(world, row, request)).status, { timeout: 10_000 }).not.toBe(503)
      }
      const row = table[0]
      if (row) await undo(world, await send(world, row, await fittingRequest(world, row)))
    }, 60_000)
  })
}
