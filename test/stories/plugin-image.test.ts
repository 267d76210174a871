import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { documentOf, trigger } from '../../src/core/workflow/job/workflow.suite.ts'
import { startDocker } from '../support/docker.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { TestDocker } from '../support/docker.ts'
import type { Reply } from '../support/client.ts'
import type { Server } from '../support/server.ts'

// The story: an operator installs a plugin that its makers publish as an image, a workflow calls it, and the server is killed meanwhile.

const started = await startDocker()
const missing = 'missing' in started ? started.missing : null
const docker = started as TestDocker // used only where it is one
const spec = `name: reader
vendor: makers
version: 1.0.0
enable_cache: true
actions:
  read:
    title: Read
    input:
      text: { type: string, required: true }
    output:
      count: { type: integer }
`
const entry = `#!/bin/sh
message=$(cat)
case $message in *wait*) sleep 600 ;; esac
echo x >>/var/cache/calls
printf '{"version":"v1","type":"action_event","body":{"log":"","status":"ok","meta":{},"output":{"count":%s}}}' "$(wc -l </var/cache/calls)"
`

describe.skipIf(missing !== null)(`a plugin that is published as an image${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let server: Server
  let image: string
  beforeAll(async () => {
    image = await docker.image('reader', entry)
    server = await startServer({ environment: { CAPSTAN_DOCKER_HOST: docker.socket } })
  }, 60_000)
  afterAll(async () => {
    await server?.close()
    await docker.stop()
  }, 30_000)

  const install = (body: object): Promise<Reply> =>
    server.admin.request('POST', '/v2/plugins', { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  async function job(text: string): Promise<string> {
    const parameters = { plugin_vendor: 'makers', plugin_name: 'reader', plugin_version: '1.0.0', step_id: 'read', input: { text } }
    const steps = [trigger, { id: 'act', type: 'action', parameters }]
    const { id } = await server.admin.ok('workflow.create', { document: documentOf({ name: `reads-${text}`, steps, paths: ['start>act', 'act>'] }) })
    await server.admin.ok('workflow.activate', { workflow: id })
    return (await server.admin.ok('workflow.run', { workflow: id, message: {} })).id
  }
  const ended = (id: string) =>
    until('the job has ended', async () => {
      const found = await server.admin.ok('job.get', { job: id })
      return found.ended_at === null ? null : found
    })

  test('is installed with the text of its spec, and called by a workflow', async () => {
    const none = await install({ runtime: 'container', image: 'makers/nowhere:1.0.0', spec: spec.replace('reader', 'nowhere') })
    expect(none.status).toBe(400)
    expect(none.text).toContain('cannot be pulled')
    const made = await install({ runtime: 'container', image, spec })
    expect(made.status, made.text).toBeLessThan(300)
    expect(JSON.stringify(await ended(await job('one')))).toContain('"count":1')
    expect(JSON.stringify(await ended(await job('two')))).toContain('"count":2')
    expect(await docker.containers()).toEqual([])
  })

  test('does not outlive a server that is killed by more than its next start, and the job that called it ends', async () => {
    const id = await job('wait')
    await until('it is called', async () => (await docker.containers()).length === 1)
    await server.kill()
    expect(await docker.containers()).toHaveLength(1)
    await server.start()
    expect(await docker.containers()).toEqual([])
    expect(await ended(id)).toMatchObject({ failed_step: { name: 'act', message: expect.stringContaining('interrupted by a restart') } })
  })

  test('takes its cache along when it is removed', async () => {
    const volumes = async () => ((await docker.call('GET', '/volumes')).json as { Volumes: unknown[] | null }).Volumes ?? []
    expect(await volumes()).toHaveLength(1)
    for (const { id } of (await server.admin.ok('workflow.list', {})).items) await server.admin.ok('workflow.deactivate', { workflow: id })
    await server.admin.ok('plugin.delete', { plugin: 'makers/reader/1.0.0' })
    expect(await volumes()).toEqual([])
  })
})
