import { openLab } from './plugin-lab.suite.ts'
import type { Mechanism } from '../runtime/process/sandbox.ts'

// A server of its own for the test that kills it: `node plugin-server.suite.ts <home> <mechanism> <mark>`. Calls one plugin in both modes and waits.

const [, , home = '', mechanism = 'none', mark = ''] = process.argv
const lab = await openLab({ home, mechanisms: [mechanism as Mechanism], unsandboxed: mechanism === 'none' }) // the test names one
const entry = `#!/usr/bin/env node
const { spawn } = require('node:child_process')
spawn('sleep', ['600'], { env: { ...process.env, MARK: '${mark}' }, detached: true, stdio: 'ignore' })
if (process.argv[2] === 'http') require('node:http').createServer((request, response) => { if (request.method === 'GET') response.end('{}') }).listen('plugin.sock')
setInterval(() => {}, 1000)
`
const plugin = lab.script('held', entry)
for (const mode of ['cold', 'warm'] as const) void lab.act(plugin, { mode, timeoutMs: 600_000 }).catch(() => {})
void lab.host.trigger(
  { plugin, name: 'x', meta: {}, connection: null, input: {} },
  { signal: new AbortController().signal, onEvent: () => Promise.resolve() },
)
setInterval(() => {}, 60_000)
process.stdout.write('up\n')
