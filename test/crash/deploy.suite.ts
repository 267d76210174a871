import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { openDeployCrashLab, speaker } from './deploy-lab.ts'
import { deployPoints, isOnly } from './deploy-points.ts'
import type { DeployCrashLab } from './deploy-lab.ts'
import type { CrashPoint } from './deploy-points.ts'

/**
 * Kills the real program while deployments, services, loadings and kill orders of the Deploy API are half done, and looks for what was lost, done twice or
 * left behind. `together`: at all points by one kill, where a start after it takes long.
 */
export function deployCrashSuite(store: string, environment: () => Promise<Record<string, string>>, { together }: { together: boolean }): void {
  describe(`kill -9 in the middle of the Deploy API on ${store}`, () => {
    let lab: DeployCrashLab

    beforeAll(async () => {
      lab = await openDeployCrashLab(await environment())
    })
    afterAll(() => lab?.close(), 60_000)

    const survives = async (points: readonly CrashPoint[]) => {
      const reached = []
      for (const point of points) reached.push(await point.to(lab))
      await Promise.all(reached.map(({ last }) => last?.()))
      await lab.server.kill()
      for (const { down } of reached) await down?.()
      await lab.server.start()
      for (const { after } of reached) await after()
    }
    if (together) {
      test(`at every one of ${deployPoints.length} points, all is in the end as it was asked for`, () => survives(deployPoints), 180_000)
    } else {
      test.each(deployPoints.map((point) => [point.name, point] as const))('when %s', (_, point) => survives([point]), 60_000)
    }

    test.skipIf(together)(
      '6 times at random while one roll-out follows the other, the last one is what there is in the end',
      async () => {
        const { id } = await lab.deploy(speaker('often', 'g0'))
        for (let round = 1; round <= 6; round++) {
          await lab.deploy(speaker('often', `g${round}`))
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 600))
          await lab.restart()
        }
        await lab.when(`/v1/task/state/${id}`, 'the last runs', (state) => state.state === 'running' && state.generation === 7)
        await isOnly(lab, id, '/often/', 'g6')
      },
      60_000,
    )

    test('nothing is left of what was deleted: no process, no folder, no record that runs', async () => {
      const { items } = await lab.server.admin.ok('task.list', { namespace: 'crash', type: 'deployment' })
      const marks = items.map(({ id }: { id: string }) => id)
      for (const { name, type } of items) await lab.get(`/v1/delete/${type}/crash/${name}`)
      await until('no run is active', async () => (await lab.server.admin.ok('run.list', { active: true })).items.length === 0, 30_000)
      expect(marks.flatMap((id: string) => lab.processes(id))).toEqual([])
      await until('no folder of work is left', () => readdirSync(join(lab.server.data, 'work')).every((name) => name.startsWith('.')))
      const kept = await lab.server.admin.ok('audit.list', { operation: 'task.deploy', limit: 1000 })
      expect(kept.items).toHaveLength(lab.deploys())
    }, 60_000)
  })
}
