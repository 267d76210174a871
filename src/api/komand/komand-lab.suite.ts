import { request } from 'node:http'
import { openApp } from '../../../test/support/app.ts'
import { until } from '../../../test/support/until.ts'
import { artifact, documentOf, trigger } from '../../core/workflow/job/workflow.suite.ts'
import type { IncomingHttpHeaders } from 'node:http'
import type { TestApp } from '../../../test/support/app.ts'
import type { JsonObject } from '../../core/kernel/json.ts'

/** An answer, as a script has it. */
// biome-ignore lint/suspicious/noExplicitAny: tests read members of answers as scripts do
export type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string; readonly json: any }
export type Asked = { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown; readonly raw?: string | Buffer }
export type Member = { readonly name: string; readonly id: string; readonly serial: number; readonly password: string; readonly token: string }
export type KomandLab = Awaited<ReturnType<typeof openKomandLab>>
export type Labs = { readonly store: string; readonly open: (options?: Parameters<typeof openApp>[0]) => Promise<KomandLab> }

const onSqlite: Labs = { store: 'SQLite', open: (options) => openKomandLab(options) }

/** The whole server on loopback with an administrator (`root`), an analyst (`ann`) and somebody without any role (`sam`). */
async function openKomandLab(options: Parameters<typeof openApp>[0] = {}) {
  const app: TestApp = await openApp(options)
  let count = 0
  const newName = () => `n${++count}-${Math.floor(performance.now())}`

  /** One request as it is, without any client between. */
  function send(method: string, path: string, { headers = {}, body, raw }: Asked = {}): Promise<Answer> {
    const bytes = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    return new Promise((resolve, reject) => {
      const asked = request(new URL(app.url).origin + path, { method, headers: { ...headers }, agent: false }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: parsed(text) })
        })
      })
      asked.on('error', reject)
      if (bytes !== undefined) asked.setHeader('content-length', Buffer.byteLength(bytes))
      asked.end(bytes)
    })
  }

  async function logIn(name: string, password: string): Promise<string> {
    const answer = await send('POST', '/v2/sessions', { body: { user_name: name, user_secret: password } })
    if (answer.status !== 200) throw new Error(answer.text)
    return answer.json.token
  }

  async function member(name: string, more: Record<string, unknown> = {}, role: string | null = null): Promise<Member> {
    const password = `a long phrase of ${name}`
    const { id, serial } = await app.system('user.create', { name, email: `${name}@lab.test`, password, ...more })
    if (role) await app.system('role.assign', { user: id, role })
    return { name, id, serial, password, token: await logIn(name, password) }
  }

  const root = await member('root', { administrator: true })
  const ann = await member('ann', {}, 'analyst')
  const sam = await member('sam')

  /** A request with somebody's token. */
  function as(who: Member | null, method: string, path: string, asked: Asked = {}): Promise<Answer> {
    return send(method, path, { ...asked, headers: { ...(who && { authorization: `Bearer ${who.token}` }), ...asked.headers } })
  }

  /** A request of the administrator that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: as in Answer
  async function ok(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await as(root, method, path, body === undefined ? {} : { body })
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.json
  }

  /** A workflow that keeps what it is sent. */
  const document = (name = newName(), more: Partial<Parameters<typeof documentOf>[0]> = {}): JsonObject =>
    documentOf({ name, steps: [trigger, artifact('Report', 'got {{[start].[text]}}')], paths: ['start>Report', 'Report>'], ...more })

  async function workflow(drawing: JsonObject = document(), { active = true } = {}): Promise<string> {
    const { workflow_uid } = await ok('POST', '/v2/workflows', drawing)
    if (active) await ok('POST', `/v2/workflows/${workflow_uid}/activate`)
    return workflow_uid
  }

  const jobOf = (id: string) => ok('GET', `/v2/jobs/${id}`)

  /** A job of a workflow when it stands as wanted. */
  async function job(id: string, status: string, message: unknown = {}): Promise<string> {
    const { job_id } = await ok('POST', `/v2/workflows/${id}/events`, message)
    await until(`the job is ${status}`, async () => (await jobOf(job_id)).status === status)
    return job_id
  }

  return { app, root, ann, sam, newName, send, logIn, member, as, ok, document, workflow, job, jobOf, close: () => app.close() }
}

function parsed(text: string) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

const failing = { id: 'f', type: 'filter', parameters: { stepControlParam: { expressionText: '{{[start].[n]}} > 10' } } }

/** Steps of a workflow whose jobs fail when they are sent no `n`. */
const failingDrawing = { steps: [trigger, failing, artifact('after', 'after')], paths: ['start>f', 'f>after'] }

const asking = {
  id: 'ask',
  type: 'human_decision',
  parameters: { stepControlParams: [{ edgeId: 'ask>yes' }, { edgeId: 'ask>no' }] },
}

/** Steps of a workflow whose jobs ask a person. */
const askingDrawing = {
  steps: [trigger, asking, artifact('yes', 'yes'), artifact('no', 'no')],
  paths: ['start>ask', 'ask>yes:Yes', 'ask>no:No'],
}

export { onSqlite, openKomandLab, failingDrawing, askingDrawing }
