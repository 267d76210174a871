import { openLab } from './plugin-lab.suite.ts'
import type { Mechanism } from '../runtime/process/sandbox.ts'

// A server of its own for the test that kills it: `node kept-server.suite.ts <home> <mechanism> <plugin> <calls> <allow>`. Makes calls of one step.

const [, , home = '', mechanism = 'none', name = '', calls = '', allow = ''] = process.argv
const lab = await openLab({
  ...{ home, allow: allow === '' ? [] : [allow], mechanisms: [mechanism as Mechanism], unsandboxed: mechanism === 'none' }, // the test names one
  pool: { processes: 2 },
})
const plugin = { ...lab.script('x', ''), name, path: name, cache: true }
for (const call of calls.split(','))
  void lab.act(plugin, { key: { run: 'run', step: 'step', call }, input: { call }, timeoutMs: 600_000 }).then(
    (answer) => process.stdout.write(`${call} ${answer.status}\n`),
    () => {},
  )
setInterval(() => {}, 60_000)
process.stdout.write('up\n')
