import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect } from 'vitest'
import { shellTask } from '../support/git.ts'
import { holdBranch } from '../support/held-branch.ts'
import { processesWith } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { speaker } from './deploy-lab.ts'
import type { Server } from 'node:http'
import type { DeployCrashLab } from './deploy-lab.ts'

/** A moment at which the server is killed. */
export type CrashPoint = {
  readonly name: string
  /** Brings something to that moment. */
  to(lab: DeployCrashLab): Promise<{
    /** The very last act before the kill. */
    last?: () => Promise<unknown>
    /** What happens while there is no server. */
    down?: () => void | Promise<void>
    /** What must be true after the next start. */
    after: () => Promise<void>
  }>
}

/** The moments of the Deploy API at which something is half done. */
export const deployPoints: readonly CrashPoint[] = [
  {
    name: 'a roll-out was accepted and nothing of it was begun',
    async to(lab) {
      const { id } = await lab.deploy(speaker('accepted', 'one'))
      await runs(lab, id, 1)
      return {
        last: () => lab.deploy(speaker('accepted', 'two', { prefix: '/accepted-anew/' })),
        async after() {
          expect(await lab.ask('/accepted/')).toBe('404')
          await runs(lab, id, 2)
          await isOnly(lab, id, '/accepted-anew/', 'two')
        },
      }
    },
  },
  {
    name: 'the new generation was started and is not ready',
    async to(lab) {
      const { id } = await lab.deploy(speaker('started', 'one'))
      await runs(lab, id, 1)
      await lab.deploy(speaker('started', 'two', { before: `${lab.counter.hit('started-new')}\n${lab.counter.gate('started-ready')}` }))
      await until('both of the new generation are up', () => lab.counter.visits('started-ready') === 2)
      return {
        async after() {
          expect(await lab.says('/started/')).toEqual(['one'])
          lab.counter.open('started-ready')
          await runs(lab, id, 2)
          await isOnly(lab, id, '/started/', 'two')
          expect(lab.counter.visits('started-new')).toBe(2)
        },
      }
    },
  },
  {
    name: 'the new generation is ready and the old one is not gone',
    async to(lab) {
      const { id } = await lab.deploy(speaker('replaced', 'one', { deaf: true }))
      await runs(lab, id, 1)
      await lab.deploy(speaker('replaced', 'two'))
      await runs(lab, id, 2)
      expect(lab.processes(id).length).toBeGreaterThan(2)
      return { after: () => isOnly(lab, id, '/replaced/', 'two') }
    },
  },
  {
    name: 'a deployment was made smaller and its surplus has not ended',
    async to(lab) {
      const script = `trap '' TERM\n${lab.counter.hit('smaller')}\nwhile :; do sleep 1; done`
      const manifest = { type: 'deployment', name: 'smaller', cmd: ['/bin/sh', '-c', script], 'termination-grace-seconds': 1 }
      const { id } = await lab.deploy({ ...manifest, replicas: 3 })
      await runs(lab, id, 1)
      return {
        last: () => lab.deploy({ ...manifest, replicas: 1 }),
        async after() {
          await until('one of the new generation is left', async () => {
            const { replicas, ready_replicas: ready, generation, state } = await lab.get(`/v1/task/state/${id}`)
            const active = await lab.instances(id)
            return generation === 2 && state === 'running' && replicas === 1 && ready === 1 && active.length === 1
          })
          expect(lab.counter.visits('smaller')).toBe(4)
        },
      }
    },
  },
  {
    name: 'a service was deleted and its instances have not ended',
    async to(lab) {
      const { id } = await lab.deploy(speaker('deleted', 'one', { deaf: true }))
      await runs(lab, id, 1)
      const address = await addressOf(lab, 'deleted')
      return {
        last: () => lab.get('/v1/delete/service/crash/deleted'),
        async after() {
          expect(await lab.ask('/deleted/')).toBe('404')
          await until('its instances are gone', () => lab.processes(id).length === 0, 30_000)
          await expect(fetch(address)).rejects.toThrow()
          expect((await lab.server.admin.get(`/v1/task/state/${id}`)).status).toBe(404)
          // Its name and its prefix are free.
          const next = await lab.deploy(speaker('deleted', 'next'))
          expect(next.id).not.toBe(id)
          await runs(lab, next.id, 1)
          await isOnly(lab, next.id, '/deleted/', 'next')
        },
      }
    },
  },
  {
    name: 'an instance ends while there is no server, and somebody takes its port',
    async to(lab) {
      const { id } = await lab.deploy(speaker('taken', 'one', { replicas: 1 }))
      await runs(lab, id, 1)
      const address = await addressOf(lab, 'taken')
      let impostor: Server
      return {
        async down() {
          await fetch(`${address}/die`).catch(() => {})
          await until('it has ended', () => lab.processes(id).length === 0)
          impostor = await listening(Number(new URL(address).port))
        },
        async after() {
          const heard = new Set<string>()
          await until('it runs again', async () => heard.add((await lab.ask('/taken/')).split(' ')[0] ?? '') && heard.has('one'), 30_000)
          impostor.close()
          expect([...heard]).not.toContain('impostor')
          expect(await addressOf(lab, 'taken')).not.toBe(address)
          await isOnly(lab, id, '/taken/', 'one', 1)
        },
      }
    },
  },
  {
    name: 'a loading waits for git',
    async to(lab) {
      const repository = await lab.repository('slow', shellTask('hello', 'true'))
      const held = holdBranch(join(lab.server.data, 'repositories', `${repository}.git`))
      const { work_id: id } = await load(lab, 'slow')
      await lab.when(loading(id), 'it asks git', ({ step }) => step === 'fetching')
      return { down: held.release, after: () => isLoaded(lab, id) }
    },
  },
  {
    name: 'many loadings were accepted',
    async to(lab) {
      await lab.repository('many', shellTask('hello', 'true'))
      let ids: string[] = []
      return {
        async last() {
          ids = (await Promise.all(Array.from({ length: 8 }, () => load(lab, 'many')))).map(({ work_id }) => work_id)
        },
        async after() {
          for (const id of ids) await isLoaded(lab, id)
        },
      }
    },
  },
  {
    name: 'a kill was ordered and nothing was told to end',
    async to(lab) {
      const { id, check } = await pipeline(lab, 'ordered')
      return { last: () => order(lab, id), after: () => check({ undone: 0 }) }
    },
  },
  {
    name: 'a kill is being carried out and a task does not end',
    async to(lab) {
      const { id, check } = await pipeline(lab, 'killing')
      await order(lab, id)
      return { after: () => check({ undone: 0 }) }
    },
  },
  {
    name: 'a kill with clean-up is being carried out and a task does not end',
    async to(lab) {
      const { id, check } = await pipeline(lab, 'tidy')
      await order(lab, id, '?cleanup=true')
      lab.counter.open('tidy-undo')
      return { after: () => check({ undone: 1 }) }
    },
  },
  {
    name: 'the clean-up of a killed pipeline runs',
    async to(lab) {
      const { id, check } = await pipeline(lab, 'undoing')
      await order(lab, id, '?cleanup=true')
      await until('it cleans up', () => lab.counter.visits('undoing-undo') === 2)
      return {
        async after() {
          expect((await lab.get(`/v1/pipeline/state/undoing/${id}`)).state).toBe('killing')
          lab.counter.open('undoing-undo')
          await check({ undone: 1 })
        },
      }
    },
  },
]

const runs = (lab: DeployCrashLab, id: string, generation: number) =>
  lab.when(`/v1/task/state/${id}`, `generation ${generation} runs`, (state) => state.state === 'running' && state.generation === generation)

const addressOf = async (lab: DeployCrashLab, name: string): Promise<string> =>
  (await lab.get('/v1/list/tasks/crash')).services.find((item: { name: string }) => item.name === name).internal_url

/** Just as many processes as were asked for, each with its own record, and nobody else answers. */
export async function isOnly(lab: DeployCrashLab, id: string, prefix: string, generation: string, replicas = 2): Promise<void> {
  await until('nothing else is left', async () => lab.processes(id).length === replicas && (await lab.instances(id)).length === replicas, 30_000)
  expect(new Set((await lab.instances(id)).map(({ name }) => name)).size).toBe(replicas)
  expect(await lab.says(prefix)).toEqual([generation])
}

// A process leaves its address before its sockets are closed.
function listening(port: number): Promise<Server> {
  return until('the port is free', () => {
    const server = createServer((_, response) => response.end('impostor'))
    return new Promise<Server | null>((resolve) => server.once('error', () => resolve(null)).listen(port, '127.0.0.1', () => resolve(server)))
  })
}

const loading = (id: string) => `/v2/task/get/configuration-loading-state/${id}`

async function load(lab: DeployCrashLab, repository: string): Promise<{ work_id: string }> {
  const { status, json } = await lab.server.nobody.request('POST', `/v2/task/load/configuration/from-git/${repository}/hello`)
  expect(status).toBe(200)
  return json
}

async function isLoaded(lab: DeployCrashLab, id: string): Promise<void> {
  const state = await lab.when(loading(id), 'it has ended', ({ finished_at }) => finished_at !== null)
  expect(state).toMatchObject({ state: 'succeeded', step: 'done', error: null, configuration: { name: 'hello' } })
}

const order = async (lab: DeployCrashLab, id: string, query = '') =>
  expect(await lab.get(`/v1/pipeline/kill/${id}${query}`)).toMatchObject({ state: 'killing', accepted: true })

/** A pipeline whose first task is ended by force only, and whose clean-up waits to be let through. */
async function pipeline(lab: DeployCrashLab, name: string) {
  const { counter } = lab
  const tasks = [
    { name: 'first', namespacetask: `${name}/first` },
    { name: 'second', namespacetask: `${name}/second`, dependance: ['first'] },
    { name: 'undo', namespacetask: `${name}/undo`, dependance: ['second'], 'run-if-error': true },
  ]
  await lab.repository(name, {
    ...shellTask('first', `trap '' TERM\n${counter.hit(`${name}-first`)}\nwhile :; do sleep 1; done`, { 'termination-grace-seconds': 1 }),
    ...shellTask('second', counter.hit(`${name}-second`)),
    ...shellTask('undo', `${counter.hit(`${name}-undo`)}\n${counter.gate(`${name}-undo`)}`),
    'line/pipeline.json': { name: 'line', tasks },
  })
  const { id } = await lab.get(`/v1/pipeline/runas/${name}/line/line`)
  await until('its first task runs', () => counter.visits(`${name}-first`) === 1)
  return {
    id: String(id),
    /** It is killed, and did what it had to do once. */
    async check({ undone }: { undone: 0 | 1 }): Promise<void> {
      const state = await lab.when(`/v1/pipeline/state/${name}/${id}`, 'it has ended', ({ finished_at }) => finished_at !== null)
      const states = state.tasks.map((task: { state: string }) => task.state)
      expect([state.state, ...states]).toEqual(['killed', 'killed', 'killed', undone ? 'succeeded' : 'killed'])
      // The clean-up counts itself, and then waits at a gate of the same name.
      const visits = ['first', 'second', 'undo'].map((task) => counter.visits(`${name}-${task}`))
      expect(visits).toEqual([1, 0, undone * 2])
      expect(processesWith(`DEPLOY_PIPELINE_ID=${id}`)).toEqual([])
    },
  }
}
