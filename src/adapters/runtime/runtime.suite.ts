import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds } from '../../core/kernel/id.ts'
import type { Exit, FakeKnobs, Runtime, Started, Work } from '../../ports/runtime.ts'

export type RuntimeSuite = {
  readonly make: () => Promise<Runtime>
  /** Another driver over the same work, as after a restart of the server; null for a driver whose work does not outlive it. */
  readonly reopen: ((runtime: Runtime) => Promise<Runtime>) | null
  /** An image with a POSIX shell, for drivers that need one. */
  readonly image: string | null
  /** Commands are really run. */
  readonly executes: boolean
  /** Whether the machine has what the driver needs; false leaves the suite out. */
  readonly available?: boolean
}

type Program = { readonly script: string; readonly fake: FakeKnobs }

const unlimited = { cpu: null, memoryBytes: null, processes: null }
const never = new AbortController().signal

const programs = {
  fine: { script: 'echo one; echo two', fake: { output: 'one\ntwo\n' } },
  fails: { script: 'exit 3', fake: { exitCode: 3 } },
  endless: { script: 'echo begun; while :; do sleep 60; done', fake: { behaviour: 'hang', output: 'begun\n' } },
} satisfies Record<string, Program>

/** The rules of the port `Runtime`, for any driver. What a driver does not claim in its capabilities is not asked of it. */
export function describeRuntime(name: string, suite: RuntimeSuite): void {
  describe.skipIf(suite.available === false)(`the runtime ${name}`, () => {
    let runtime: Runtime
    const open: Runtime[] = []
    beforeAll(async () => {
      runtime = await suite.make()
      open.push(runtime)
    })
    afterAll(async () => {
      for (const name of await runtime.list()) await runtime.remove(name)
      for (const one of open) await one.close()
    })

    const work = (program: Program, change: Partial<Work> = {}): Work => ({
      name: `suite-${systemIds.hex(6)}-1`,
      command: ['/bin/sh', '-c', program.script],
      environment: {},
      code: null,
      image: suite.image,
      limits: unlimited,
      outputLimit: 100_000,
      labels: {},
      fake: program.fake,
      ...change,
    })
    const ended = async (started: Started): Promise<Exit> => started.exit ?? runtime.wait(started.handle, { signal: never })
    const run = async (program: Program, change: Partial<Work> = {}) => {
      const started = await runtime.start(work(program, change))
      return { started, exit: await ended(started) }
    }
    const outputOf = async (started: Started, offset = 0) => {
      let text = ''
      for await (const chunk of runtime.output(started.handle, { offset, signal: never })) text += Buffer.from(chunk).toString('latin1')
      return text
    }
    const firstOutput = async (driver: Runtime, started: Started) => {
      for await (const chunk of driver.output(started.handle, { offset: 0, signal: never }))
        if (chunk.length > 0) return Buffer.from(chunk).toString()
      return null
    }

    test('work that succeeds ends with 0, and with times in order', async () => {
      const { exit } = await run(programs.fine)
      expect(exit).toMatchObject({ code: 0, signal: null, outOfMemory: false, outputDropped: 0 })
      expect(exit.finishedAt).toBeGreaterThanOrEqual(exit.startedAt)
    })

    test('work that fails ends with its own exit code', async () => {
      expect((await run(programs.fails)).exit).toMatchObject({ code: 3, signal: null })
    })

    test('output is given whole, or from any byte on', async () => {
      const { started } = await run(programs.fine)
      expect(await outputOf(started)).toBe('one\ntwo\n')
      expect(await outputOf(started, 4)).toBe('two\n')
      expect(await outputOf(started, 99)).toBe('')
    })

    test('output can be read while the work goes on, and its reading can be called off', async () => {
      const started = await runtime.start(work(programs.endless))
      expect(await firstOutput(runtime, started)).toBe('begun\n')
      const reader = new AbortController()
      const reading = (async () => {
        for await (const chunk of runtime.output(started.handle, { offset: 6, signal: reader.signal })) expect(chunk.length).toBe(0)
      })()
      reader.abort(new Error('enough'))
      await expect(reading).rejects.toThrow('enough')
      await runtime.stop(started.handle, { graceMs: 0 })
    })

    test('output beyond its limit is dropped, and that it was is known', async () => {
      const { started, exit } = await run(programs.fine, { outputLimit: 5 })
      expect(await outputOf(started)).toBe('one\nt')
      expect(exit.outputDropped).toBeGreaterThan(0)
    })

    test('a second start of one name finds the first', async () => {
      const once = work(programs.fine)
      const [first, second] = await Promise.all([runtime.start(once), runtime.start(once)])
      await ended(first)
      const third = await runtime.start(once)
      expect(second.handle).toEqual(first.handle)
      expect(third.handle).toEqual(first.handle)
      expect(await ended(third)).toEqual(await ended(first))
      expect(await outputOf(third)).toBe('one\ntwo\n')
    })

    test('stopped work has ended by a signal when stop resolves', async () => {
      const started = await runtime.start(work(programs.endless))
      await firstOutput(runtime, started)
      const waiting = runtime.wait(started.handle, { signal: never })
      await runtime.stop(started.handle, { graceMs: 20_000 })
      expect(await waiting).toMatchObject({ code: null, signal: 'SIGTERM' })
      expect(await runtime.recover(started.handle.name)).toMatchObject({ found: 'ended' })
      await runtime.stop(started.handle, { graceMs: 0 })
    })

    test.runIf(suite.executes)('work that ignores the polite signal gets the hard one', async () => {
      const deaf = { script: `trap '' TERM; echo begun; while :; do sleep 60; done`, fake: {} }
      const started = await runtime.start(work(deaf))
      await firstOutput(runtime, started)
      await runtime.stop(started.handle, { graceMs: 100 })
      expect(await ended(started)).toMatchObject({ code: null, signal: 'SIGKILL' })
    })

    test('waiting can be called off without harm to the work', async () => {
      const started = await runtime.start(work(programs.endless))
      const waiter = new AbortController()
      const waiting = runtime.wait(started.handle, { signal: waiter.signal })
      waiter.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      expect(await runtime.recover(started.handle.name)).toMatchObject({ found: 'running' })
      await runtime.remove(started.handle.name)
    })

    test('work is recovered as never started, running, ended, and after its removal as never started', async () => {
      const endless = work(programs.endless)
      expect(await runtime.recover(endless.name)).toEqual({ found: 'never_started' })
      const started = await runtime.start(endless)
      expect(await runtime.recover(endless.name)).toEqual({ found: 'running', handle: started.handle })
      expect(await runtime.list()).toContain(endless.name)
      await runtime.stop(started.handle, { graceMs: 0 })
      expect(await runtime.recover(endless.name)).toMatchObject({ found: 'ended', handle: started.handle })
      await runtime.remove(endless.name)
      await runtime.remove(endless.name)
      expect(await runtime.recover(endless.name)).toEqual({ found: 'never_started' })
      expect(await runtime.list()).not.toContain(endless.name)
    })

    test.runIf(suite.reopen)('work outlives its driver, and the next one finds, reads and ends it', async () => {
      const started = await runtime.start(work(programs.endless))
      expect(runtime.capabilities.survivesServer).toBe(true)
      const next = await suite.reopen?.(runtime)
      if (!next) return
      open.push(next)
      const handle = { ...started.handle, data: JSON.parse(JSON.stringify(started.handle.data)) }
      expect(await next.recover(handle.name)).toEqual({ found: 'running', handle })
      expect(await firstOutput(next, { ...started, handle })).toBe('begun\n')
      const waiting = next.wait(handle, { signal: never })
      await next.stop(handle, { graceMs: 20_000 })
      expect(await waiting).toMatchObject({ code: null, signal: 'SIGTERM' })
    })

    test.runIf(suite.executes)('code is put into the working directory, where work may write, and /code/ in a command finds it', async () => {
      if (!runtime.capabilities.code) return
      const { started } = await run(programs.fine, {
        command: ['/bin/sh', '/code/hello.sh', '/code/hello.sh'],
        code: async (folder) => {
          await writeFile(`${folder}/hello.sh`, 'echo made >made && cat made && cmp "$1" hello.sh && echo same\n')
        },
      })
      expect(await outputOf(started)).toBe('made\nsame\n')
    })

    test.runIf(suite.executes)('the environment is the one that was given, on top of PATH, HOME, LANG and TMPDIR', async () => {
      const value = `it's "£Á"\n$(id) \\ end`
      const { started } = await run(programs.fine, { command: ['/usr/bin/env', '-0'], environment: { GREETING: value, LANG: 'C' } })
      const found = Object.fromEntries(
        (await outputOf(started))
          .split('\0')
          .filter(Boolean)
          .map((entry) => entry.split(/=(.*)/s)),
      )
      expect(Buffer.from(found.GREETING ?? '', 'latin1').toString()).toBe(value)
      expect(found).toMatchObject({ LANG: 'C', PATH: expect.any(String), HOME: expect.any(String), TMPDIR: expect.any(String) })
    })

    test.runIf(suite.executes)('what work leaves behind ends with its first process', async () => {
      const started = await runtime.start(work({ script: 'setsid sh -c "echo left; sleep 3600" & sleep 0.2', fake: {} }))
      expect(await ended(started)).toMatchObject({ code: 0 })
      expect(await outputOf(started)).toBe('left\n')
    })

    test.runIf(suite.executes)('work that closes its output is waited for all the same', async () => {
      const started = await runtime.start(work({ script: 'echo begun; exec >&- 2>&-; sleep 0.3; exit 5', fake: {} }))
      expect(await ended(started)).toMatchObject({ code: 5 })
    })

    test.runIf(suite.executes)('a signal that ends the work is named', async () => {
      expect((await run({ script: 'kill -SEGV $$', fake: {} })).exit).toMatchObject({ code: null, signal: 'SIGSEGV' })
    })
  })
}
