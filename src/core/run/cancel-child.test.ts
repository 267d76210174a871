import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreUnavailable } from '../../ports/store/store.ts'
import { chain, draft, engineLab, graph, until, work } from '../../../test/support/engine-lab.ts'
import { defaultPolicy } from './retry.ts'
import type { EngineLab } from '../../../test/support/engine-lab.ts'

let lab: EngineLab

beforeAll(async () => {
  lab = await engineLab()
})
afterAll(() => lab.close())

test('an order to end reaches the children of a run though the store cannot be written for a while', async () => {
  const child = draft(chain([work('x', { behaviour: 'hang' })]))
  const node = { id: 'sub', kind: 'run' as const, join: 'all' as const, when: 'no-error' as const, policy: defaultPolicy, draft: child as never }
  const { id } = await lab.start(draft(graph([node])))
  await until(async () => (await lab.steps(id))[0]?.child_id != null, 'the child')
  const { write } = lab.store
  let calls = 0
  // The order itself is stored; then the disk is full for two writes.
  const failing = (run: Parameters<typeof write>[0]) => {
    calls++
    return calls === 2 || calls === 3 ? Promise.reject(new StoreUnavailable('the disk is full')) : write.call(lab.store, run)
  }
  Object.assign(lab.store, { write: failing })
  await lab.invoke('run.cancel', { run: id })
  const { run } = await lab.ended(id)
  expect(run.state).toBe('cancelled')
  expect(calls).toBe(4)
})
