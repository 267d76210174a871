import { startCounter } from '../support/counter.ts'
import { gitUrl, pushTree } from '../support/git.ts'
import { freePort, startServer } from '../support/server.ts'
import { processesWith } from '../support/processes.ts'
import { until } from '../support/until.ts'
import type { Tree } from '../support/git.ts'
import type { Reply } from '../support/client.ts'

export type DeployCrashLab = Awaited<ReturnType<typeof openDeployCrashLab>>

/** The real program with its gateway, and what the tests that kill it ask through the Deploy API. */
export async function openDeployCrashLab(environment: Record<string, string>) {
  const counter = await startCounter()
  const port = await freePort()
  const gateway = `http://127.0.0.1:${port}`
  // Programs of the tests are run by the node that runs them, which a sandbox does not show.
  const server = await startServer({ environment: { CAPSTAN_GATEWAY_PORT: String(port), CAPSTAN_UNSANDBOXED: 'allow', ...environment } })

  const ok = ({ status, json, text }: Reply) => {
    if (status !== 200) throw new Error(`answered ${status}: ${text}`)
    return json
  }
  let deploys = 0
  const lab = {
    counter,
    server,
    /** A GET of the Deploy API that must succeed. */
    get: async (path: string) => ok(await server.admin.get(path)),
    async deploy(configuration: object) {
      deploys++
      const body = JSON.stringify({ namespace: 'crash', configuration })
      return ok(await server.admin.request('POST', '/v2/task/deploy/with-configuration', { headers: { 'content-type': 'application/json' }, body }))
    },
    /** How many deploys were answered. */
    deploys: () => deploys,
    /** A repository whose branch holds just these files; gives its id. */
    async repository(path: string, tree: Tree): Promise<string> {
      const { id } = await server.admin.ok('repository.create', { path, private: false })
      const { code, err } = await pushTree(gitUrl(server.url, path, server.admin), tree)
      if (code !== 0) throw new Error(`The push failed: ${err}`)
      return id
    },
    async restart() {
      await server.kill()
      await server.start()
    },
    /** The state of a task or pipeline once it fulfils a condition. */
    // biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as scripts of operators do
    when: (path: string, what: string, condition: (state: any) => boolean) =>
      until(
        `${path}: ${what}`,
        async () => {
          const state = await lab.get(path)
          return condition(state) ? state : null
        },
        30_000,
      ),
    /** What a published service says: its generation and its life; or the status that the gateway answers with. */
    async ask(prefix: string): Promise<string> {
      const answer = await fetch(`${gateway}${prefix}`)
      const text = await answer.text()
      return answer.status === 200 ? text : String(answer.status)
    },
    /** All that a service says when it is asked several times. */
    async says(prefix: string): Promise<string[]> {
      const said = new Set<string>()
      for (let round = 0; round < 8; round++) said.add((await lab.ask(prefix)).split(' ')[0] ?? '')
      return [...said].sort()
    },
    /** Processes of a task's instances. */
    processes: (task: string) => processesWith(`DEPLOY_TASK_ID=${task}`),
    /** The active lives of instances. */
    async instances(task: string): Promise<{ id: string; name: string }[]> {
      const { items } = await server.admin.ok('run.list', { kind: 'replica', active: true, limit: 1000 })
      return items.filter(({ parent }: { parent: string | null }) => parent === task)
    },
    async close() {
      // A test may have failed while there was none, and instances live on without it.
      if ((await fetch(server.url).catch(() => null)) === null) await server.start()
      const { items } = await server.admin.ok('task.list', { namespace: 'crash', type: 'deployment', limit: 1000 }).catch(() => ({ items: [] }))
      for (const { name, type } of items) await server.admin.call('task.delete', { namespace: 'crash', name, type })
      await server.close()
      await counter.close()
    },
  }
  return lab
}

/** A service with two instances that says its generation and its life. `before` is shell that runs before it listens; a deaf one is ended by force only. */
export function speaker(name: string, generation: string, more: { before?: string; deaf?: boolean; prefix?: string; replicas?: number } = {}) {
  const program = `
const life = require('node:crypto').randomUUID()
if (${more.deaf === true}) process.on('SIGTERM', () => {})
require('node:http')
  .createServer((request, response) => (request.url === '/die' ? process.exit(1) : response.end('${generation} ' + life)))
  .listen(Number(process.env.PORT), '127.0.0.1')`
  return {
    type: 'service',
    name,
    replicas: more.replicas ?? 2,
    'container-port': 80,
    cmd: ['/bin/sh', '-c', `${more.before ?? ''}\nexec "$1" -e "$2"`, 'sh', process.execPath, program],
    published: { prefix: more.prefix ?? `/${name}/`, bypass_auth: true },
    'termination-grace-seconds': more.deaf ? 3 : 1,
  }
}
