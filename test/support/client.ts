/** An answer, read to its end. */
export type Reply = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON, `{}` when it is none: tests read members of answers as scripts of operators do. */
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly json: any
}

/** Somebody who talks to a server over HTTP. */
export type Client = {
  readonly token: string | null
  /** One request; headers of the caller win. */
  request(
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer>; signal?: AbortSignal },
  ): Promise<Reply>
  get(path: string, headers?: Record<string, string>): Promise<Reply>
  /** Calls an operation of the native API and gives whatever it answers. */
  call(operation: string, input?: unknown): Promise<Reply>
  /** Calls an operation that must succeed, and gives its output. */
  // biome-ignore lint/suspicious/noExplicitAny: as in Reply
  ok(operation: string, input?: unknown): Promise<any>
}

/** Hears every answer: the story of the secrets greps them. */
export type Recorder = (what: string, reply: Reply) => void

/** A client of the server at `url` with this bearer token; null is a caller without credentials. */
export function clientOf(url: string, token: string | null, record?: Recorder): Client {
  const client: Client = {
    token,
    async request(method, path, { headers = {}, body, signal } = {}) {
      const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(url + path, {
        method,
        headers: { ...authorization, ...headers },
        body: body ?? null,
        redirect: 'manual',
        ...(signal && { signal }),
      })
      const text = await response.text()
      const reply = { status: response.status, headers: response.headers, text, json: jsonOf(text) }
      record?.(`${method} ${path}`, reply)
      return reply
    },
    get: (path, headers) => client.request('GET', path, headers ? { headers } : {}),
    call: (operation, input = {}) =>
      client.request('POST', `/api/v1/${operation}`, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) }),
    async ok(operation, input) {
      const { status, json, text } = await client.call(operation, input)
      if (status !== 200) throw new Error(`${operation} answered ${status}: ${text}`)
      return json
    },
  }
  return client
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
