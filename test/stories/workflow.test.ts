import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ran } from '../support/programs.ts'
import { adminKey, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { Server } from '../support/server.ts'

// What examples/workflows/README.md tells to type is typed, as it stands: only the port is another one. A push, a person, a task and a report.

const root = join(import.meta.dirname, '..', '..')
const guide = readFileSync(join(root, 'examples', 'workflows', 'README.md'), 'utf8')
const blocks = [...guide.matchAll(/(?:^ {4}.*\n)+/gm)].map(([block]) => block.replaceAll(/^ {4}/gm, ''))

let server: Server
let folder: string
beforeAll(async () => {
  server = await startServer({ environment: { CAPSTAN_SAMPLE: 'true', CAPSTAN_UNSANDBOXED: 'allow' } })
  await until('the first run has ended', async () => (await server.admin.ok('run.list', { active: false })).items.length > 0)
  folder = mkdtempSync(join(tmpdir(), 'capstan-workflow-'))
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
}, 60_000)
afterAll(async () => {
  await server?.close()
  rmSync(folder, { recursive: true, force: true })
}, 30_000)

/** One shell for all blocks, as a person has it who has signed in: what one exports the next one sees. */
async function typed(script: string): Promise<string> {
  const here = script.replaceAll('127.0.0.1:9120', `127.0.0.1:${server.port}`).replaceAll('npx capstan', `"$NODE" "${join(root, 'src', 'main.ts')}"`)
  const signedIn = { CAPSTAN_SERVER: server.url, CAPSTAN_TOKEN: adminKey }
  const { code, out, err } = await ran(['bash', '-e', '-c', here], { cwd: folder, env: { NODE: process.execPath, HOME: folder, ...signedIn } })
  expect(code, err).toBe(0)
  return out
}

test('a push starts the sample workflow, which asks a person, deploys a task and reports: by the commands of its page, in both ways', async () => {
  expect(blocks).toHaveLength(9)
  const out = await typed(blocks.join('\n'))
  expect(out).toContain('Release after review: waiting')
  expect(out).toContain('--path Release')
  expect(out).toContain('Release after review: succeeded')
  expect(out).toContain('"status":"active"')
  expect(out.match(/let master of sample go on at [0-9a-f]{40}/g)).toHaveLength(2)
  expect(out.match(/The task released-[0-9a-f]{40} has succeeded/g)).toHaveLength(2)
  for (const word of ['- A new word', '- Another word']) expect(out).toContain(word)
}, 90_000)

test('what happened is in the one audit trail: the push, the start, the decision and the deploy, by who they were', async () => {
  const { items } = await server.admin.ok('audit.list', { limit: 200 })
  const operations = new Set(items.map((item: { operation: string; via: string }) => `${item.operation} via ${item.via}`))
  for (const wanted of [
    'repository.push via git-http',
    'workflow.import via komand',
    'workflow.activate via komand',
    'job.decide via komand',
    'task.deploy via run',
  ]) {
    expect([...operations]).toContain(wanted)
  }
})
