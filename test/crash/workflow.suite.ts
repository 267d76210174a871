import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { artifact, decision } from '../../src/core/workflow/job/workflow.suite.ts'
import { until } from '../support/until.ts'
import { openWorkflowCrashLab } from './workflow-lab.ts'
import { roundPoints } from './round-points.ts'
import { workflowPoints } from './workflow-points.ts'
import type { WorkflowCrashLab } from './workflow-lab.ts'
import type { WorkflowPoint } from './workflow-points.ts'

/**
 * Kills the real program between events and ends of jobs, and looks for what was lost or done twice. `together`: at all points by one kill, where a start
 * after it takes long.
 */
export function workflowCrashSuite(
  store: string,
  environment: () => Promise<Record<string, string>>,
  { together, kills }: { together: boolean; kills: number },
): void {
  describe(`kill -9 in the middle of workflows on ${store}`, () => {
    let lab: WorkflowCrashLab

    beforeAll(async () => {
      lab = await openWorkflowCrashLab(await environment())
    })
    afterAll(() => lab?.close(), 60_000)

    const survives = async (points: readonly WorkflowPoint[]) => {
      const reached = []
      for (const point of points) reached.push(await point.to(lab))
      await Promise.all(reached.map(({ last }) => last?.()))
      await lab.server.kill()
      await Promise.all(reached.map(({ down }) => down?.()))
      await lab.server.start()
      for (const { after } of reached) await after()
    }
    // Those that call something for seconds come last: none of their calls may be over before the kill.
    const points = [...workflowPoints, ...roundPoints].sort((one, other) => Number(calling(one)) - Number(calling(other)))
    const groups = [...new Set(points.map(({ group }) => group))]
    if (together) {
      test(`at every one of ${points.length} points, each job is in the end as it was asked for`, () => survives(points), 120_000)
    } else {
      test.each(groups)('%s', (group) => survives(points.filter((point) => point.group === group)), 60_000)
    }

    test(`${kills} times at random at fifty events a second, each event that was acknowledged is one job`, async () => {
      const workflow = await lab.workflow('load', steps, paths)
      const start = await lab.trigger('load', { type: 'api_trigger' })
      const shared = await lab.workflow('load of a trigger', steps, paths, start)
      const { trigger_config_id: trigger } = start.parameters as { trigger_config_id: string }
      const sent: Promise<void>[] = []
      const acknowledged = { [workflow]: [] as number[], [shared]: [] as number[] }
      let count = 0
      let killing = true
      const post = async (of: string, path: string, n: number) => {
        const reply = await lab.send(path, { n, list: listOf(n) }).catch(() => null)
        if (reply?.status === 200) acknowledged[of]?.push(n)
        else if (reply && reply.status < 500) throw new Error(reply.text)
      }
      const client = (async () => {
        for (let at = performance.now(); killing; at += 20) {
          const n = ++count
          sent.push(n % 2 ? post(workflow, `/v2/workflows/${workflow}/events`, n) : post(shared, `/v2/trigger/${trigger}/events`, n))
          await new Promise((resolve) => setTimeout(resolve, Math.max(at + 20 - performance.now(), 0)))
        }
      })()
      const killer = (async () => {
        for (let kill = 0; kill < kills; kill++) {
          await new Promise((resolve) => setTimeout(resolve, 150 + Math.random() * 400))
          await lab.server.kill()
          await lab.server.start()
        }
        await new Promise((resolve) => setTimeout(resolve, 200))
      })()
      await killer.finally(() => {
        killing = false
      })
      await client
      await Promise.all(sent)
      expect(acknowledged[workflow]?.length).toBeGreaterThan(kills)
      expect(acknowledged[shared]?.length).toBeGreaterThan(kills)
      for (const of of [workflow, shared]) {
        // Those that were not acknowledged may be there, once.
        const jobs = await until(
          'every job has ended',
          async () => {
            const found = await lab.jobs(of)
            const all = found.every(({ ended_at }) => ended_at !== null)
            return all && found.length >= (acknowledged[of]?.length ?? 0) ? found : null
          },
          60_000,
        )
        expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(['succeeded']))
        const kept = await Promise.all(jobs.map(({ id }) => lab.artifacts(id)))
        const numbers = kept.map(([n]) => Number(n))
        const rounds = ['round 0', 'round 1', 'round 2']
        expect(kept).toEqual(numbers.map((n) => [String(n), ...rounds, ...listOf(n).map((item) => `at once ${item}`), 'one of them']))
        const missing = acknowledged[of]?.filter((n) => !numbers.includes(n))
        const twice = numbers.filter((n, at) => numbers.indexOf(n) !== at)
        expect({ missing, twice }).toEqual({ missing: [], twice: [] })
      }
    }, 120_000)

    test('nothing is active in the end', async () => {
      await until('no run is active', async () => (await lab.server.admin.ok('run.list', { active: true })).items.length === 0, 30_000)
    }, 60_000)
  })
}

const calling = ({ name }: WorkflowPoint) => name.startsWith('a plugin is called')

/** Rounds at once cost several times what all other steps of a job do: at fifty a second, one job in five has them. */
const listOf = (n: number) => (n % 5 === 0 ? ['x', 'y', 'z'] : [])

/** A job that passes through some of everything: a kill may come between any two of its steps. */
const steps = [
  artifact('one', '{{[start].[n]}}'),
  { id: 'L', type: 'loop', parameters: { repeatCount: 3, innerEdgeId: 'L>in' } },
  artifact('in', 'round {{[L].[$index]}}', { parent_id: 'L' }),
  { id: 'P', type: 'loop', parameters: { repeatVariable: '{{[start].[list]}}', parallel: 2, innerEdgeId: 'P>here' } },
  artifact('here', 'at once {{[P].[$item]}}', { parent_id: 'P' }),
  decision('size', { small: '{{[start].[n]}} < 40', large: '' }),
  { id: 'small', type: 'pattern_match', parameters: { input: 'x', expressionText: '{{w:/x/}}' } },
  { id: 'large', type: 'pattern_match', parameters: { input: 'x', expressionText: '{{w:/x/}}' } },
  { id: 'both', type: 'join', parameters: { decisionEdgeIds: ['size>small', 'size>large'], variableSets: [] } },
  artifact('two', 'one of them'),
]
const paths = [
  'start>one',
  'one>L',
  'L>in',
  'in>',
  'L>P',
  'P>here',
  'here>',
  'P>size',
  'size>small',
  'size>large',
  'small>both',
  'large>both',
  'both>two',
  'two>',
]
