import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { describeRuntime } from '../runtime.suite.ts'
import { mechanismsHere, openProcesses } from './process-lab.suite.ts'

for (const mechanism of await mechanismsHere()) {
  const home = mkdtempSync(join(tmpdir(), 'capstan-process-'))
  afterAll(() => rmSync(home, { recursive: true, force: true }))
  describeRuntime(`process, kept apart by ${mechanism}`, {
    make: () => openProcesses(home, mechanism),
    reopen: () => openProcesses(home, mechanism),
    image: null,
    executes: true,
  })
}
