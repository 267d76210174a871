import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { documentOf, trigger } from '../../src/core/workflow/job/workflow.suite.ts'
import { startCounter } from '../support/counter.ts'
import { startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import type { JsonObject } from '../../src/core/kernel/json.ts'
import type { Reply } from '../support/client.ts'
import type { Server } from '../support/server.ts'

export type WorkflowCrashLab = Awaited<ReturnType<typeof openWorkflowCrashLab>>

/** A step that calls an address, which nothing but its author can know to be harmless twice. */
export function calls(id: string, url: string, more: JsonObject = {}, parameters: JsonObject = {}): JsonObject {
  const plugin = { plugin_vendor: 'capstan', plugin_name: 'http', plugin_version: '1.0.0', step_id: 'request' }
  return { id, type: 'action', parameters: { ...plugin, input: { method: 'POST', url, timeout: 60 }, ...parameters }, ...more }
}

/** A step that calls an action of some plugin. */
export function action(id: string, plugin: string, identifier: string, input: JsonObject, parameters: JsonObject = {}): JsonObject {
  const [vendor = '', name = '', version = ''] = plugin.split('/')
  const about = { plugin_vendor: vendor, plugin_name: name, plugin_version: version, step_id: identifier }
  return { id, type: 'action', parameters: { ...about, input, ...parameters } }
}

export const repeated: JsonObject = { on_interrupt: 'repeat' }

/** The real program, and what the tests that kill it do by its workflows. What a client of the Komand API does goes through that API. */
export async function openWorkflowCrashLab(environment: Record<string, string>, given?: Server) {
  const counter = await startCounter()
  const server = given ?? (await startServer({ environment: { CAPSTAN_EGRESS_ALLOW: '127.0.0.0/8', CAPSTAN_UNSANDBOXED: 'allow', ...environment } }))
  const { admin } = server
  const ok = ({ status, json, text }: Reply) => {
    if (status !== 200) throw new Error(`answered ${status}: ${text}`)
    return json
  }
  const send = (path: string, body: JsonObject) =>
    admin.request('POST', path, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const post = async (path: string, body: JsonObject = {}) => ok(await send(path, body))
  const job = async (id: string) => admin.ok('job.get', { job: id })
  const lab = {
    counter,
    server,
    send,
    post,
    job,
    /** An active workflow of these steps, one after the other when no paths are given; gives its id. */
    async workflow(name: string, steps: readonly JsonObject[], paths?: readonly string[], start: JsonObject = trigger): Promise<string> {
      const ids = [start, ...steps].map(({ id }) => String(id))
      const line = ids.map((id, at) => `${id}>${ids[at + 1] ?? ''}`)
      const { id } = await admin.ok('workflow.create', { document: documentOf({ name, steps: [start, ...steps], paths: paths ?? line }) })
      await admin.ok('workflow.activate', { workflow: id })
      return id
    },
    /** An event as clients post it; gives the id of its job. */
    start: async (workflow: string, message: JsonObject = {}): Promise<string> => (await post(`/v2/workflows/${workflow}/events`, message)).job_id,
    ended: (id: string) => until(`the job ${id} has ended`, async () => ((await job(id)).ended_at === null ? null : job(id)), 30_000),
    waits: (id: string) => until(`the job ${id} waits`, async () => (await job(id)).status === 'waiting'),
    artifacts: async (id: string): Promise<string[]> =>
      (await admin.ok('job.list-artifacts', { job: id })).items.map(({ content }: { content: string }) => content),
    step: async (id: string, name: string) =>
      (await admin.ok('job.list-steps', { job: id })).items.findLast((step: { name: string }) => step.name === name),
    /** The jobs of a workflow, newest first. */
    jobs: async (workflow: string): Promise<{ id: string; status: string; ended_at: string | null }[]> => {
      const found = []
      for (let cursor: string | undefined; ; ) {
        const page = await admin.ok('job.list', { workflow, limit: 1000, ...(cursor ? { cursor } : {}) })
        found.push(...page.items)
        if (!page.next) return found
        cursor = page.next
      }
    },
    decide: (id: string, step: string, path: string) => post(`/v2/jobs/${id}/steps/${step}/decision`, { path_uid: path }),
    async trigger(name: string, settings: JsonObject): Promise<JsonObject> {
      const { id } = await admin.ok('trigger.create', { name, ...settings })
      return { id: 'start', type: 'api_trigger', parameters: { trigger_config_id: id } }
    },
    /** Installs a plugin whose actions last as long as they are told, in processes whose environment says how long: `look` may be done twice. */
    async slowPlugin(): Promise<void> {
      const folder = join(server.data, 'plugins', 'slow')
      if (existsSync(folder)) return
      mkdirSync(join(folder, 'bin'), { recursive: true })
      writeFileSync(join(folder, 'plugin.spec.yaml'), slowSpec)
      writeFileSync(join(folder, 'bin', 'icon_slow'), slowPlugin)
      chmodSync(join(folder, 'bin', 'icon_slow'), 0o755)
      await admin.ok('plugin.install', { path: 'slow', mode: 'cold' })
    },
    async close() {
      await server.close()
      await counter.close()
    },
  }
  return lab
}

const slowSpec = `plugin_spec_version: v2
extension: plugin
name: slow
title: Slow
description: Takes its time
version: 1.0.0
vendor: example
actions:
  wait:
    title: Wait
    input: { seconds: { type: string, required: true } }
    output: { done: { type: boolean } }
  look:
    title: Look
    on_interrupt: repeat
    input: { seconds: { type: string, required: true } }
    output: { done: { type: boolean } }
`

const slowPlugin = `#!/bin/sh
message=$(cat)
seconds=$(printf '%s' "$message" | sed -n 's/.*"seconds":"\\([0-9.]*\\)".*/\\1/p')
SLOW_SECONDS="$seconds" sleep "$seconds"
printf '{"version":"v1","type":"action_event","body":{"log":"","meta":{},"status":"ok","output":{"done":true}}}'
`
