import { request } from 'node:http'
import { openApp } from '../../../test/support/app.ts'
import type { IncomingHttpHeaders } from 'node:http'
import type { Person, TestApp } from '../../../test/support/app.ts'

export type KallitheaLab = Awaited<ReturnType<typeof openKallitheaLab>>

/** An answer of the API. `result` is any JSON: tests look into it as they need. */
// biome-ignore lint/suspicious/noExplicitAny: tests read members of results as scripts do
export type Answer = { readonly id: unknown; readonly result: any; readonly error: string | null }

export type Raw = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string }

type Asked = { readonly method?: string; readonly path?: string; readonly headers?: Record<string, string>; readonly body?: string | Uint8Array }

/** The whole server on loopback with an administrator, and calls of this API in its own words. */
export async function openKallitheaLab(options: Parameters<typeof openApp>[0] = {}) {
  const app: TestApp = await openApp(options)
  const root = await member('root', { administrator: true })

  /** A user with a key. */
  async function member(name: string, more: Record<string, unknown> = {}): Promise<Person & { readonly key: string }> {
    const person = await app.person(name, more)
    const { secret } = (await app.system('api-key.create', { label: 'kallithea', user: name })) as { secret: string }
    return { ...person, key: secret }
  }

  /** One request as it is, without any client between. */
  function raw({ method = 'POST', path = '/_admin/api', headers = {}, body }: Asked = {}): Promise<Raw> {
    return new Promise((resolve, reject) => {
      // What an agent keeps open would outlive the test.
      const asked = request(new URL(app.url).origin + path, { method, headers, agent: false }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() }))
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }

  /** One call, as somebody. */
  async function call(who: { readonly key: string }, method: string, args: unknown = {}, id: unknown = 1): Promise<Answer> {
    const { status, text } = await raw({ body: JSON.stringify({ id, api_key: who.key, method, args }) })
    if (status !== 200) throw new Error(`${method}: ${status} ${text}`)
    return JSON.parse(text) as Answer
  }

  return {
    app,
    root,
    member,
    raw,
    call,
    /** What a call gives, which must not be an error. */
    async result(who: { readonly key: string }, method: string, args: unknown = {}) {
      const { result, error } = await call(who, method, args)
      if (error !== null) throw new Error(`${method}: ${error}`)
      return result
    },
    /** The text of the error of a call. */
    error: async (who: { readonly key: string }, method: string, args: unknown = {}) => (await call(who, method, args)).error,
    close: () => app.close(),
  }
}
