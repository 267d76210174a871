import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fault } from '../../core/kernel/fault.ts'
import { startLab } from '../http-lab.suite.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { Lab } from '../http-lab.suite.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())

const ann = { authorization: 'Bearer token-of-ann' }
const change = { sequence: 8, kind: 'run', id: 'r1', name: 'build', state: 'running', resource_id: 'hidden', user_id: 'hidden' }

async function* endless(call: Call, first: readonly unknown[]): AsyncGenerator<unknown> {
  yield* first
  const { signal } = call
  if (signal && !signal.aborted) await once(signal, 'abort')
}

describe('GET /api/v1/events', () => {
  test('a change is an event named after its kind, with an id to go on from and nothing private', async () => {
    const inputs: unknown[] = []
    lab.follow('event.follow', (call, input) => {
      inputs.push(input)
      return endless(call, [
        { id: 'e-8', event: change },
        { id: 'e-0', event: null },
      ])
    })
    const answer = await lab.raw(
      'GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-ann\r\nLast-Event-ID: e-7\r\n\r\n',
      /event: reset\ndata: \{\}\n\n/,
    )
    expect(answer).toContain('content-type: text/event-stream')
    expect(answer).toContain('cache-control: no-store')
    expect(answer).toContain('id: e-8\nevent: run\ndata: {"kind":"run","id":"r1","name":"build","state":"running"}\n\n')
    expect(inputs).toEqual([{ since: 'e-7' }])
  })

  test('the headers come before the first event', async () => {
    lab.follow('event.follow', (call) => endless(call, []))
    const gone = new AbortController()
    const response = await fetch(`${lab.url}/api/v1/events`, { headers: ann, signal: gone.signal })
    expect(response.status).toBe(200)
    gone.abort()
  })

  test('the stream is told when its client goes', async () => {
    let told: (value: unknown) => void = () => {}
    const heard = new Promise((resolve) => {
      told = resolve
    })
    lab.follow('event.follow', (call) => {
      call.signal?.addEventListener('abort', told)
      return endless(call, [{ id: 'e-1', event: change }])
    })
    await lab.raw('GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-ann\r\n\r\n', /e-1/)
    await heard
  })

  test('a refusal comes as JSON, before any event', async () => {
    lab.follow('event.follow', () => {
      throw fault('unauthenticated')
    })
    const response = await fetch(`${lab.url}/api/v1/events`)
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: { code: 'unauthenticated' } })
  })

  test("another site's page cannot listen with the cookie", async () => {
    lab.follow('event.follow', (call) => endless(call, []))
    const headers = { cookie: 'capstan_session=token-of-ann', 'sec-fetch-site': 'cross-site' }
    expect((await fetch(`${lab.url}/api/v1/events`, { headers })).status).toBe(403)
  })

  test('one caller cannot hold more than fifty', async () => {
    const mine = await startLab()
    mine.follow('event.follow', (call) => endless(call, []))
    const gone = new AbortController()
    // Callers without credentials are told apart by their address.
    const all = await Promise.all(Array.from({ length: 51 }, () => fetch(`${mine.url}/api/v1/events`, { signal: gone.signal })))
    expect(all.map(({ status }) => status).filter((status) => status === 503)).toHaveLength(1)
    gone.abort()
    await mine.close()
  })

  test('closing the server ends open streams', async () => {
    const mine = await startLab()
    mine.follow('event.follow', (call) => endless(call, []))
    const response = await fetch(`${mine.url}/api/v1/events`, { headers: ann })
    const text = response.text()
    // The listener alone, while the rest of the server still runs: it must not wait for others to end its streams, nor cut them.
    await mine.http.close()
    expect(await text).toBe('retry: 2000\n\n')
    await mine.close()
  })
})

describe('GET /api/v1/runs/<id>/log', () => {
  const bytes = Buffer.from('grün\n')
  const pieces = [
    { offset: 0, bytes: bytes.subarray(0, 3), end: false }, // cuts the ü in two
    { offset: 3, bytes: bytes.subarray(3), end: false },
    { offset: 6, bytes: new Uint8Array(), end: true },
  ]
  async function* log() {
    yield* pieces
  }

  test('it is plain text unless it is followed', async () => {
    const inputs: unknown[] = []
    lab.follow('run.follow-log', (_call, input) => {
      inputs.push(input)
      return log()
    })
    const response = await fetch(`${lab.url}/api/v1/runs/r%201/log?step=build&attempt=2&offset=7`)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await response.text()).toBe('grün\n')
    expect(inputs).toEqual([{ run: 'r 1', step: 'build', attempt: 2, offset: 7 }])
  })

  test('followed, pieces never cut a character, and an id is the offset to go on from', async () => {
    lab.follow('run.follow-log', log)
    const response = await fetch(`${lab.url}/api/v1/runs/r1/log?follow=true`)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const events = (await response.text()).split('\n\n').slice(1, -1)
    expect(events).toEqual([
      'id: 2\ndata: {"offset":0,"text":"gr"}',
      'id: 6\ndata: {"offset":2,"text":"ün\\n"}',
      'id: 6\nevent: end\ndata: {"offset":6}',
    ])
  })

  test('Last-Event-ID goes on from there', async () => {
    const inputs: unknown[] = []
    lab.follow('run.follow-log', (_call, input) => {
      inputs.push(input)
      return log()
    })
    await (await fetch(`${lab.url}/api/v1/runs/r1/log`, { headers: { accept: 'text/event-stream', 'last-event-id': '42' } })).text()
    expect(inputs).toEqual([{ run: 'r1', offset: 42 }])
  })

  test('a query that is not known, given twice or of the wrong form is refused', async () => {
    lab.follow('run.follow-log', log)
    for (const query of ['stpe=a', 'offset=-1', 'offset=1e3', 'follow=yes', 'step=a&step=b', '__proto__=1']) {
      expect((await fetch(`${lab.url}/api/v1/runs/r1/log?${query}`)).status, query).toBe(400)
    }
  })
})
