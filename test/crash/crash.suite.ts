import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { startCounter } from '../support/counter.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { arriving, openPush } from './push.ts'
import type { Counter } from '../support/counter.ts'
import type { Server } from '../support/server.ts'

const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

export type CrashOptions = {
  /** How often it is killed under load. */
  readonly kills: number
  /** How often between the tasks of one pipeline. */
  readonly pipelineKills: number
  /** Whether half pushes are cleared away at once: where other servers may share the folder, they could belong to one of those. */
  readonly sweepsAtStart: boolean
}

/** Kills the real program at named points and counts what was lost or done twice: nothing, on either store. */
export function crashSuite(
  store: string,
  environment: () => Promise<Record<string, string>>,
  { kills, pipelineKills, sweepsAtStart }: CrashOptions,
): void {
  describe(`kill -9 on ${store}`, () => {
    let server: Server
    let counter: Counter

    beforeAll(async () => {
      counter = await startCounter()
      server = await startServer({ environment: await environment() })
    })
    afterAll(async () => {
      await server?.close()
      await counter?.close()
    })

    const restart = async () => {
      await server.kill()
      await server.start()
    }
    const task = async (name: string, script: string, more: object = {}) => {
      const repository = `crash-${name}`
      await server.admin.ok('repository.create', { path: repository })
      await pushTasks(server, repository, shellTask(name, script, more))
      return { repository, directory: name, namespace: repository }
    }
    const ended = (run: string) =>
      until(
        `the run ${run} has ended`,
        async () => {
          const found = await server.admin.ok('run.get', { run })
          return ends.includes(found.state) ? found : null
        },
        30_000,
      )

    test('after a task was accepted and before it started, it starts once', async () => {
      const deploy = await task('accepted', counter.hit('accepted'))
      // The answer is all that is waited for, so the kill comes before, while or just after the process is made.
      const { id } = await server.admin.ok('task.deploy', deploy)
      await restart()
      expect((await ended(id)).state).toBe('succeeded')
      expect(counter.visits('accepted')).toBe(1)
    })

    test('while a task runs, it goes on, and its end and its whole output are found', async () => {
      const script = `echo before\n${counter.hit('running')}\n${counter.gate('run')}\necho after`
      const { id } = await server.admin.ok('task.deploy', await task('running', script))
      await until('it runs', () => counter.visits('run') === 1)
      await restart()
      counter.open('run')
      expect((await ended(id)).state).toBe('succeeded')
      expect((await server.admin.get(`/api/v1/runs/${id}/log`)).text).toBe('before\nafter\n')
      expect(counter.visits('running')).toBe(1)
    })

    test('after a task ended and before that was recorded, its end is found', async () => {
      const { id } = await server.admin.ok('task.deploy', await task('exited', `${counter.gate('exit')}\n${counter.hit('exited')}\nexit 7`))
      await until('it runs', () => counter.visits('exit') === 1)
      await server.kill()
      counter.open('exit')
      await until('it has ended', () => counter.visits('exited') === 1)
      await server.start()
      const run = await ended(id)
      expect([run.state, run.steps[0].exit_code ?? run.steps[0].exit?.code]).toEqual(['failed', 7])
      expect(counter.visits('exited')).toBe(1)
    })

    test('between the tasks of a pipeline, each of them runs once and in its order', async () => {
      const names = ['one', 'two', 'three', 'four']
      const path = 'crash-line'
      await server.admin.ok('repository.create', { path })
      const tasks = names.map((name, at) => ({ name, namespacetask: `${path}/${name}`, ...(at > 0 && { dependance: [names[at - 1]] }) }))
      const scripts = names.map((name) => shellTask(name, counter.hit(`line-${name}`)))
      await pushTasks(server, path, Object.assign({ 'line/pipeline.json': { name: 'line', original: 'line', tasks } }, ...scripts))
      const { id } = await server.admin.ok('pipeline.run', { repository: path, directory: 'line' })
      for (const name of names.slice(0, pipelineKills)) {
        await until(`${name} ran`, () => counter.visits(`line-${name}`) === 1)
        await restart()
      }
      expect((await ended(id)).state).toBe('succeeded')
      expect(names.map((name) => counter.visits(`line-${name}`))).toEqual([1, 1, 1, 1])
    })

    test('while a run is being cancelled, it is gone in the end and says cancelled', async () => {
      // Deaf to the polite signal: between the order and the end there is time to be killed in.
      const script = `trap '' TERM\n${counter.hit('deaf')}\n(trap '' TERM; while :; do sleep 1; done) &\nwhile :; do sleep 1; done`
      const { id } = await server.admin.ok('task.deploy', await task('deaf', script, { 'termination-grace-seconds': 2 }))
      await until('it runs', () => counter.visits('deaf') === 1)
      expect((await server.admin.ok('run.cancel', { run: id })).accepted).toBe(true)
      await restart()
      expect((await ended(id)).state).toBe('cancelled')
      expect(readdirSync(join(server.data, 'work')).filter((name) => name.startsWith(id))).toEqual([])
    })

    test('in the middle of a push, the branch is as before or as after, whole, and the push can be repeated', async () => {
      const path = 'crash-push'
      await server.admin.ok('repository.create', { path })
      const push = await openPush(server, path)
      const heads = [await push.commit()]
      const half = await push.half()
      await server.kill()
      await half.gone
      await server.start()
      expect(await push.listed()).toBe('')
      if (sweepsAtStart) expect(arriving(server), 'what had arrived is cleared away').toBe(false)
      await push.whole()
      for (let round = 0; round < 3; round++) {
        heads.push(await push.commit())
        const pushing = push.try()
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 150))
        await server.kill()
        const { code } = await pushing
        await server.start()
        // What was reported as done is done; what was not may be either.
        expect(code === 0 ? heads.slice(-1) : heads.slice(-2)).toContain(await push.listed())
        await push.whole()
      }
      await push.check()
      const { items } = await server.admin.ok('repository.list-pushes', { repository: path, limit: 100 })
      // Each commit is on record as one push, whatever was repeated.
      const reached = (items as { changes: { to: string }[] }[]).flatMap(({ changes }) => changes.map(({ to }) => to))
      expect(reached.sort()).toEqual(heads.sort())
    }, 60_000)

    test(`${kills} times at random under load, every task that was asked for runs exactly once`, async () => {
      const path = 'crash-load'
      await server.admin.ok('repository.create', { path })
      const count = kills * 4
      const names = Array.from({ length: count }, (_, at) => `load-${at}`)
      await pushTasks(server, path, shellTask('load', `${counter.hit('$1')}`, {}))
      let killing = true
      const runs = new Map<string, string>()
      const deploy = async (name: string) => {
        const manifest = { type: 'job', name, cmd: ['/bin/sh', '/code/run.sh', name] }
        for (;;) {
          // The key makes a repetition harmless: whether the first call was heard, a client whose server died cannot know.
          const input = { repository: path, directory: 'load', namespace: path, configuration: manifest, idempotency_key: name }
          const reply = await server.admin.call('task.deploy', input).catch(() => null)
          if (reply?.status === 200) return void runs.set(name, reply.json.id)
          if (reply && reply.status < 500) throw new Error(`${name}: ${reply.text}`)
          await new Promise((resolve) => setTimeout(resolve, 30))
        }
      }
      const queue = [...names]
      const clients = [1, 2, 3].map(async () => {
        for (let name = queue.shift(); name !== undefined; name = queue.shift()) await deploy(name)
      })
      const killer = (async () => {
        for (let kill = 0; kill < kills && killing; kill++) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 200))
          await restart()
        }
      })()
      await Promise.all([...clients, killer]).finally(() => {
        killing = false
      })
      const states = await Promise.all([...runs.values()].map(async (id) => (await ended(id)).state))
      const twice = names.filter((name) => counter.visits(name) > 1)
      const never = names.filter((name) => counter.visits(name) === 0)
      expect({ twice, never, states: [...new Set(states)] }).toEqual({ twice: [], never: [], states: ['succeeded'] })
      // One run each, and one line of the audit trail.
      const { items } = await server.admin.ok('audit.list', { operation: 'task.deploy', limit: 1000 })
      const lines = items.filter(
        ({ subject, detail }: { subject: string; detail: { replayed?: boolean } }) => subject.startsWith(`task:${path}/`) && !detail?.replayed,
      )
      expect(lines.length).toBe(count)
    }, 90_000)
  })
}

async function pushTasks(server: Server, path: string, tree: Record<string, string | object>): Promise<void> {
  const { code, err } = await pushTree(gitUrl(server.url, path, server.admin), tree)
  if (code !== 0) throw new Error(`The push failed: ${err}`)
}
