import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { PluginInterrupted } from '../../ports/plugin-host.ts'
import { document, openLab, shell } from './plugin-lab.suite.ts'
import type { PluginLab } from './plugin-lab.suite.ts'

let lab: PluginLab
beforeAll(async () => {
  lab = await openLab({ limits: { graceMs: 300, outputBytes: 200_000 } })
})
afterAll(() => lab.close())

const fine = document({ status: 'ok', output: { said: 'yes' }, log: 'from inside\n' })

describe('a call in command line mode', () => {
  test('the message comes on standard input, with {} for what is absent, and the answer is the document on standard output', async () => {
    const plugin = lab.script(
      'echo',
      `#!/usr/bin/env node
let text = ''
process.stdin.on('data', (chunk) => (text += chunk)).on('end', () => {
  process.stdout.write(JSON.stringify({ version: 'v1', type: 'action_event', body: { log: '', status: 'ok', meta: {}, output: { message: JSON.parse(text), verb: process.argv[2] } } }))
})`,
    )
    const { output } = await lab.act(plugin, { name: 'say', meta: { step_uid: 'x' }, input: { text: 'häh' } })
    const body = { action: 'say', meta: { step_uid: 'x' }, connection: {}, input: { text: 'häh' } }
    expect(output).toEqual({ verb: 'run', message: { version: 'v1', type: 'action_start', body } })
    const tested = await lab.act(plugin, { what: 'test', name: 'say', connection: { key: 'k', parameters: { host: 'h' } } })
    expect(tested.output).toMatchObject({ verb: 'test', message: { type: 'action_start', body: { connection: { host: 'h' } } } })
    const task = await lab.act(plugin, { what: 'task', name: 'follow', state: { at: 3 } })
    expect(task.output).toMatchObject({ message: { type: 'task_start', body: { task: 'follow', state: { at: 3 }, custom_config: {} } } })
  })

  test('the status of the document is believed, not the exit code', async () => {
    const plugin = lab.script('codes', shell(`printf '%s' ${fine}; exit 1`))
    expect(await lab.act(plugin)).toMatchObject({ status: 'ok', output: { said: 'yes' } })
    const bad = document({ status: 'error', error: 'no such host', exception: { cause: 'c', assistance: 'a', data: { x: 1 } } })
    const other = lab.script('codes0', shell(`printf '%s' ${bad}; exit 0`))
    expect(await lab.act(other)).toMatchObject({ status: 'error', error: 'no such host', exception: { cause: 'c', assistance: 'a', data: { x: 1 } } })
  })

  test('a half-written document is a failure, told by the last line of standard error', async () => {
    const plugin = lab.script(
      'half',
      shell(`printf '{"version":"v1","body":{"status":"ok","output":{"a":'; echo one >&2; echo 'TypeError: not serialisable' >&2; exit 1`),
    )
    const answer = await lab.act(plugin)
    expect(answer).toMatchObject({ status: 'error', error: 'TypeError: not serialisable', output: null })
    expect(answer.log).toContain('one\n')
  })

  test('a process that says nothing is a failure with its exit code or signal', async () => {
    expect(await lab.act(lab.script('mute', shell('exit 3')))).toMatchObject({ status: 'error', error: 'the plugin ended with 3 and gave no answer' })
    expect((await lab.act(lab.script('dies', shell('kill -KILL $$')))).status).toBe('error')
  })

  test('the last object at the beginning of a line is the answer, and what stands before it is log', async () => {
    const before = `echo 'getting ready'; echo '{"level":"info","text":"a log line of its own"}'; printf '%s\\n' ${document({ status: 'error', error: 'an earlier one' })}`
    const answer = await lab.act(lab.script('talks', shell(`${before}; printf '%s\\n' ${fine}; echo 'a word on standard error' >&2`)))
    expect(answer).toMatchObject({ status: 'ok', output: { said: 'yes' } })
    expect(answer.log).toMatch(/^getting ready\n\{"level":"info".*\n.*an earlier one.*\nfrom inside\na word on standard error\n$/s)
  })

  test('text that a plugin prints in front of the document without a line break is passed over', async () => {
    expect(await lab.act(lab.script('prints', shell(`printf 'debug: '; printf '%s' ${fine}`)))).toMatchObject({
      status: 'ok',
      log: 'debug: \nfrom inside\n',
    })
  })

  test('a call that takes too long is asked to end, then ended with all that it started', async () => {
    const mark = randomBytes(8).toString('hex')
    const plugin = lab.script('hangs', shell(`trap '' TERM\nMARK=${mark} sleep 600 &\nMARK=${mark} sleep 600`))
    const answer = await lab.act(plugin, { timeoutMs: 1_000 })
    expect(answer).toMatchObject({ status: 'error', error: 'plugin timed out after 1 seconds' })
    expect(processesWith(`MARK=${mark}`)).toEqual([])
    const polite = lab.script('polite', shell(`trap 'echo "asked to end" >&2; exit 0' TERM\nsleep 600 & wait`))
    expect((await lab.act(polite, { timeoutMs: 1_000 })).log).toContain('asked to end')
  })

  test('output beyond the limit ends the call', async () => {
    const answer = await lab.act(lab.script('floods', shell('yes | head -c 3000000; echo')))
    expect(answer).toMatchObject({ status: 'error', error: expect.stringContaining('said more than') })
  })

  test('a call that is called off rejects with the reason, and nothing is left of it', async () => {
    const mark = randomBytes(8).toString('hex')
    const plugin = lab.script('sleeps', shell(`MARK=${mark} sleep 600`))
    const abort = new AbortController()
    const call = lab.act(plugin, {}, abort.signal)
    await until('it sleeps', () => processesWith(`MARK=${mark}`).length > 0)
    abort.abort(new Error('no more'))
    await expect(call).rejects.toThrow('no more')
    expect(processesWith(`MARK=${mark}`)).toEqual([])
  })

  test('what a plugin prints without end and without a document is not read again and again', async () => {
    const wide = await openLab()
    try {
      const plugin = wide.script('deep', shell(`yes '{"a":' | head -c 9000000`))
      const from = performance.now()
      expect((await wide.act(plugin)).status).toBe('error')
      expect(performance.now() - from).toBeLessThan(15_000)
    } finally {
      await wide.close()
    }
  })

  test('the server stops: a call under way is interrupted, and nothing is left of it', async () => {
    const mark = randomBytes(8).toString('hex')
    const stopped = await openLab()
    const call = stopped.act(stopped.script('sleeps', shell(`MARK=${mark} sleep 600`)))
    const outcome = call.catch((error: unknown) => error)
    await until('it sleeps', () => processesWith(`MARK=${mark}`).length > 0)
    await stopped.close()
    expect(await outcome).toBeInstanceOf(PluginInterrupted)
    expect(processesWith(`MARK=${mark}`)).toEqual([])
  })
})

describe('the entry point', () => {
  test.each(['', 'python/src/', 'workspace/', 'usr/local/'])('is the only file in "%sbin"', async (at) => {
    const name = `at_${at.replaceAll('/', '_')}x`
    lab.script(name, '', { [`${at}bin/icon_other`]: shell(`printf '%s' ${document({ status: 'ok', output: { here: 'yes' } })}; pwd >&2`) })
    const plugin = lab.script(name, shell(''), {})
    const { rmSync } = await import('node:fs')
    rmSync(`${lab.root}/${name}/bin/icon_${name}`)
    expect(await lab.act(plugin)).toMatchObject({ status: 'ok', output: { here: 'yes' } })
  })

  test('is refused where there is none or are several', async () => {
    const plugin = lab.script('two', shell(''), { 'bin/icon_second': shell('') })
    expect((await lab.act(plugin)).error).toContain('one entry point')
    expect((await lab.act({ ...plugin, path: 'nothing' })).error).toContain('no such folder')
  })

  test('a file that is neither script nor program says so', async () => {
    expect(await lab.act(lab.script('noise', '\u0001\u0002'))).toMatchObject({ status: 'error' })
  })
})

test('an image is refused while no Docker engine is configured', async () => {
  const plugin = { ...lab.script('image', ''), runtime: 'container', path: null, image: 'vendor/name:1.0.0' } as const
  expect((await lab.act(plugin)).error).toContain('need a Docker engine')
})

test('of many calls only so many have a process at once, and each gets its turn', async () => {
  const narrow = await openLab({ pool: { processes: 2 } })
  try {
    const mark = randomBytes(8).toString('hex')
    const plugin = narrow.script('many', shell(`MARK=${mark} sleep 0.3; printf '%s' ${fine}`))
    let most = 0
    const calls = Promise.all([1, 2, 3, 4, 5].map(() => narrow.act(plugin)))
    let over = false
    void calls.then(() => (over = true))
    await until('all have ended', () => {
      most = Math.max(most, processesWith(`MARK=${mark}`).length)
      return over
    })
    expect((await calls).map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(2)
  } finally {
    await narrow.close()
  }
})

test('a server that stops does not wait for a plugin that will not end', async () => {
  const stopped = await openLab()
  const mark = randomBytes(8).toString('hex')
  const abort = new AbortController()
  const call = stopped
    .act(stopped.script('stubborn', shell(`trap '' TERM\nMARK=${mark} sleep 600`)), {}, abort.signal)
    .catch((error: unknown) => error)
  await until('it sleeps', () => processesWith(`MARK=${mark}`).length > 0)
  abort.abort(new Error('The server stops'))
  const from = performance.now()
  await stopped.close()
  expect(performance.now() - from).toBeLessThan(3_000)
  expect(await call).toMatchObject({ message: 'The server stops' })
  expect(processesWith(`MARK=${mark}`)).toEqual([])
})
