import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds } from '../../../core/kernel/id.ts'
import type { Handle } from '../../../ports/runtime.ts'
import { folderOf, makeFolder, writeWork } from './folder.ts'
import { mechanismsHere, openProcesses, outputOf, outputUntil, run, script } from './process-lab.suite.ts'
import { readBoot } from './proc.ts'
import type { ProcessRuntime } from './runtime.ts'
import type { Mechanism } from './sandbox.ts'

const never = new AbortController().signal

for (const mechanism of await mechanismsHere()) {
  describe(`processes kept apart by ${mechanism}`, () => {
    const home = mkdtempSync(join(tmpdir(), 'capstan-supervised-'))
    const root = join(home, mechanism === 'user' || mechanism === 'none' ? 'work' : 'data/work')
    let runtime: ProcessRuntime
    beforeAll(async () => {
      runtime = await openProcesses(home, mechanism)
    })
    afterAll(async () => {
      for (const name of await runtime.list()) await runtime.remove(name)
      await runtime.close()
      rmSync(home, { recursive: true, force: true })
    })

    test('work goes on when its server is killed, and the next server gets its output and its exit', async () => {
      const { server, handle } = await hold(home, mechanism, 'echo begun; sleep 0.5; echo done; exit 7')
      await killed(server)
      expect(await runtime.recover(handle.name)).toEqual({ found: 'running', handle })
      expect(await runtime.wait(handle, { signal: never })).toMatchObject({ code: 7, signal: null })
      expect(await outputOf(runtime, handle.name)).toBe('begun\ndone\n')
    })

    test('no supervisor is left without work when its server is killed, and nothing that would start one', async () => {
      const { server } = await hold(home, mechanism, 'exit 0')
      const spare = () => [...supervisorsOf(server.pid ?? 0), ...spawnersOf(server.pid ?? 0)]
      await until(() => spare().length === 2)
      const all = spare()
      await killed(server)
      await until(() => all.every((pid) => !existsSync(`/proc/${pid}`) || /^State:\tZ/m.test(textOf(`/proc/${pid}/status`))))
    })

    test('work goes on when what started it is killed, its end is told, and further work is started', async () => {
      const ahead = () => spawnersOf(process.pid).find((pid) => supervisorsOf(pid).length === 1)
      while (ahead() === undefined) await run(runtime, script('exit 0'))
      const { handle } = await runtime.start(script('echo begun; sleep 0.5; exit 6'))
      const spawner = ahead() ?? 0
      process.kill(spawner, 'SIGKILL')
      expect(await runtime.wait(handle, { signal: never })).toMatchObject({ code: 6, signal: null })
      expect((await run(runtime, script('exit 8'))).exit).toMatchObject({ code: 8 })
    })

    test('work that ended while there was no server is found with its exit', async () => {
      const { server, handle } = await hold(home, mechanism, 'sleep 0.2; exit 9')
      await killed(server)
      await until(() => textOf(join(root, handle.name, 'exit')) !== '')
      expect(await runtime.recover(handle.name)).toMatchObject({ found: 'ended', exit: { code: 9 } })
    })

    test('a second start, by the next server, finds the first', async () => {
      const { server, handle } = await hold(home, mechanism, 'echo once; sleep 0.5; exit 4')
      await killed(server)
      const { handle: again } = await runtime.start(script('echo twice', { name: handle.name }))
      expect(again).toEqual(handle)
      expect(await runtime.wait(again, { signal: never })).toMatchObject({ code: 4 })
      expect(await outputOf(runtime, handle.name)).toBe('once\n')
    })

    test('work that never came to run is recovered as such, and what was on its way to run it cannot any more', async () => {
      const name = `late-${systemIds.hex(4)}-1`
      const folder = folderOf(root, name)
      makeFolder(folder)
      writeWork(folder, { mechanism, token: systemIds.hex(16), uid: null, output_limit: 10, cgroup: null })
      expect(await runtime.recover(name)).toEqual({ found: 'never_started' })
      expect(await runtime.list()).not.toContain(name)
      expect(await runtime.start(script('exit 0', { name }))).toMatchObject({ handle: { name } })
    })

    test('when the supervisor is killed the work is gone too, and its end is told as unknown', async () => {
      const mark = `6${Date.now()}`
      const { handle } = await runtime.start(script(`setsid sleep ${mark} & echo begun; sleep ${mark}`))
      await outputUntil(runtime, handle.name, /begun/)
      process.kill(Number(handle.data.pid), 'SIGKILL')
      expect(await runtime.wait(handle, { signal: never })).toMatchObject({ code: null, signal: null })
      await until(() => commandLines().every((line) => !line.includes(mark)))
      expect(await runtime.recover(handle.name)).toEqual({ found: 'gone' })
    })

    test('nothing of the work is left when it has ended, whatever it forked away', async () => {
      const mark = `7${Date.now()}`
      const { exit } = await run(runtime, script(`setsid sh -c "(sleep ${mark} >/dev/null 2>&1 &)" & (sleep ${mark} &) ; sleep 0.2`))
      expect(exit.code).toBe(0)
      expect(commandLines().filter((line) => line.includes(`sleep\0${mark}`))).toEqual([])
    })

    test('stop ends what ignores the polite signal, in every group and session', async () => {
      const mark = `8${Date.now()}`
      const { handle } = await runtime.start(
        script(`trap '' TERM; setsid setsid sleep ${mark} >/dev/null 2>&1 & echo begun; sleep ${mark}; sleep ${mark}`),
      )
      await outputUntil(runtime, handle.name, /begun/)
      await runtime.stop(handle, { graceMs: 50 })
      expect(commandLines().filter((line) => line.includes(`sleep\0${mark}`))).toEqual([])
      expect(await runtime.recover(handle.name)).toMatchObject({ found: 'ended', exit: { signal: 'SIGKILL' } })
    })

    test('no more output than the limit is kept, however much is written', async () => {
      const work = script('head -c 30000000 /dev/zero', { outputLimit: 1000 })
      const { exit, output } = await run(runtime, work)
      expect(exit.code).toBe(0)
      expect(output).toHaveLength(1000)
      expect(exit.outputDropped).toBeGreaterThan(29_000_000)
      expect(exit.outputDropped).toBeLessThanOrEqual(29_999_000)
      expect(statSync(join(root, work.name, 'out')).size).toBeLessThan(1000 + 512)
    })

    test('work that writes without end is bounded and can be stopped', async () => {
      const { handle } = await runtime.start(script('exec yes', { outputLimit: 4096 }))
      await until(() => readdirSync(join(root, handle.name)).includes('dropped'))
      await runtime.stop(handle, { graceMs: 5_000 })
      expect(await runtime.wait(handle, { signal: never })).toMatchObject({ signal: 'SIGTERM' })
    })

    test('what work writes is read within 200 ms', async () => {
      const delays: number[] = []
      const { handle } = await runtime.start(script('for i in 1 2 3 4 5; do date +%s%3N; sleep 0.1; done'))
      for await (const chunk of runtime.output(handle, { offset: 0, signal: never }))
        delays.push(Date.now() - Number(Buffer.from(chunk).toString().trim().split('\n').at(-1)))
      // The machine that tests run on may be busy, so that one slow line does not count.
      expect(delays.toSorted((a, b) => a - b)[2]).toBeLessThan(200)
    })

    test('two hundred starts at once all end with their own exit', async () => {
      const ends = await Promise.all(Array.from({ length: 200 }, (_, index) => run(runtime, script(`echo ${index}; exit ${index % 100}`))))
      expect(ends.map(({ exit }) => exit.code)).toEqual(ends.map((_, index) => index % 100))
      expect(ends.map(({ output }) => output)).toEqual(ends.map((_, index) => `${index}\n`))
    }, 60_000)

    test('a process that got the pid of ended work is never taken for it', async () => {
      const innocent = spawn('sleep', ['600'], { detached: true })
      const pid = innocent.pid ?? 0
      const startTime = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19]
      for (const record of [`${pid} 1 ${readBoot()}\n`, `${pid} ${startTime} 00000000-0000-0000-0000-000000000000\n`]) {
        const name = `forged-${systemIds.hex(4)}-1`
        const folder = folderOf(root, name)
        makeFolder(folder)
        writeWork(folder, { mechanism, token: systemIds.hex(16), uid: null, output_limit: 10, cgroup: null })
        writeFileSync(join(folder.path, 'started'), record)
        await runtime.stop({ name, runtime: 'process', data: {} }, { graceMs: 0 })
        expect(await runtime.recover(name)).toEqual({ found: 'gone' })
        await runtime.remove(name)
      }
      expect(innocent.exitCode ?? innocent.signalCode).toBeNull()
      expect(innocent.kill('SIGKILL')).toBe(true)
    })

    test('the environment is on no command line, in no file, and in no process but the work itself', async () => {
      const secret = `s3cret-${systemIds.hex(8)}`
      const { handle } = await runtime.start(script('echo begun; sleep 60', { environment: { TOKEN: secret } }))
      await outputUntil(runtime, handle.name, /begun/)
      expect(commandLines().filter((line) => line.includes(secret))).toEqual([])
      expect(readFileSync(`/proc/${handle.data.pid}/environ`, 'utf8')).not.toContain(secret)
      for (const file of readdirSync(join(root, handle.name), { withFileTypes: true })) {
        if (file.isFile()) expect(readFileSync(join(root, handle.name, file.name), 'utf8')).not.toContain(secret)
      }
      await runtime.remove(handle.name)
    })

    test('variables that steer shells and loaders reach the work and nothing that runs before it', async () => {
      const environment = { LD_PRELOAD: '/nowhere/evil.so', PATH: '/nowhere', IFS: 'a', ENV: '/nowhere/env', PS4: '$(id)', HOME: '/nowhere' }
      const { exit, output } = await run(runtime, script('', { command: ['/usr/bin/env'], environment }))
      expect(exit.code).toBe(0)
      for (const [name, value] of Object.entries(environment)) expect(output).toContain(`${name}=${value}\n`)
      expect(output.match(/evil\.so' from LD_PRELOAD/g)).toHaveLength(1)
    })

    test('a folder that work made hard to delete is deleted', async () => {
      const work = script(
        'umask 777; mkdir closed; umask 022; mkdir dark && touch dark/file && chmod 000 dark; n=0; while [ $n -lt 1500 ]; do mkdir deep && cd deep; n=$((n+1)); done; exit 0',
      )
      await run(runtime, work)
      await runtime.remove(work.name)
      expect(readdirSync(root).filter((name) => name.includes(work.name) || name.startsWith('.aside'))).toEqual([])
    })

    test('limits that this host cannot enforce are told at the start', async () => {
      const { warning } = await runtime.start(script('exit 0', { limits: { cpu: 0.5, memoryBytes: 1e8, processes: null } }))
      if (runtime.capabilities.limits) expect(warning).toBeNull()
      else expect(warning).toMatch(/not enforced/)
    })

    test('a command that is not there is told in the output, and names of work cannot lead out of the folder', async () => {
      const { exit, output } = await run(runtime, script('', { command: ['no-such-program'] }))
      expect(exit.code).toBe(127)
      expect(output).toContain('no-such-program')
      await expect(runtime.start(script('', { name: '../evil' }))).rejects.toThrow('name')
      await expect(runtime.start(script('', { command: [] }))).rejects.toMatchObject({ retry: false })
      await expect(runtime.start(script('', { command: ['echo', 'a\0b'] }))).rejects.toMatchObject({ retry: false })
      await expect(runtime.start(script('', { command: ['echo', 'a'.repeat(200_000)] }))).rejects.toMatchObject({ retry: false })
    })

    test('every part of a command reaches the work as it is, quotes and lines and all', async () => {
      const parts = ["it's", '"$HOME" `id` \\', 'two\nlines', '', '*', '-n', '$(id)', 'ä€']
      const { output } = await run(runtime, script('', { command: ['printf', '<%s>', ...parts] }))
      expect(output).toBe(parts.map((part) => `<${part}>`).join(''))
    })
  })
}

async function hold(home: string, mechanism: Mechanism, text: string): Promise<{ server: ReturnType<typeof spawn>; handle: Handle }> {
  const file = fileURLToPath(new URL('./server-lab.suite.ts', import.meta.url))
  const server = spawn(process.execPath, [file, 'hold', home, mechanism, JSON.stringify(text)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise<string>((resolve) => server.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString())))
  return { server, handle: JSON.parse(line) as Handle } // printed by server-lab
}

async function killed(server: ReturnType<typeof spawn>): Promise<void> {
  const gone = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGKILL')
  await gone
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

// Those that wait for work: a supervisor that has some has children.
function supervisorsOf(server: number): number[] {
  return pids().filter((pid) => {
    const isOurs = new RegExp(`^PPid:\\t${server}$`, 'm').test(textOf(`/proc/${pid}/status`))
    return isOurs && textOf(`/proc/${pid}/cmdline`).includes('capstan-work') && textOf(`/proc/${pid}/task/${pid}/children`) === ''
  })
}

/** What starts supervisors in a server's place. */
function spawnersOf(server: number): number[] {
  return pids().filter((pid) => {
    const isOurs = new RegExp(`^PPid:\\t${server}$`, 'm').test(textOf(`/proc/${pid}/status`))
    return isOurs && textOf(`/proc/${pid}/cmdline`).includes('/process/spawner.')
  })
}

function commandLines(): string[] {
  return pids().map((pid) => textOf(`/proc/${pid}/cmdline`))
}

function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
