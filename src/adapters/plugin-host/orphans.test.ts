import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { processesWith } from '../../../test/support/processes.ts'
import { until } from '../../../test/support/until.ts'
import { openLab } from './plugin-lab.suite.ts'

test.each(['bubblewrap', 'namespaces', 'none'] as const)(
  'a server killed in the middle of calls leaves no process of a plugin behind (%s)',
  async (mechanism) => {
    const home = mkdtempSync('/var/tmp/capstan-plugins-')
    const mark = randomBytes(8).toString('hex')
    const marked = () => processesWith(`MARK=${mark}`)
    const server = spawn(process.execPath, [join(import.meta.dirname, 'plugin-server.suite.ts'), home, mechanism, mark], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await until('three calls are under way', () => marked().length >= 3)
      const gone = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGKILL')
      await gone
      // Where the sandbox ends with its server nothing is left already; else the next server finds it.
      const next = await openLab({ home, mechanisms: [mechanism], unsandboxed: mechanism === 'none' })
      try {
        expect(marked()).toEqual([])
        expect(readdirSync(join(home, 'data', 'plugin-work')).filter((name) => name.startsWith('host-'))).toEqual([])
        expect((await next.act(next.sample('host_facts'), { name: 'look' })).status).toBe('ok')
      } finally {
        await next.close()
      }
    } finally {
      server.kill('SIGKILL')
      rmSync(home, { recursive: true, force: true })
    }
  },
)
