import { Agent, request } from 'node:http'

export type Load = {
  readonly port: number
  readonly clients: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** `{n}` in the body and the path becomes a running number. */
  readonly body: string
}

export type LoadResult = { readonly rate: number; readonly p50: number; readonly p99: number; readonly refused: number }

/** Keeps `clients` requests under way over kept-alive connections, and gives the rate of answers with status 200 and their times in ms. */
export async function load(options: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.clients })
  const times: number[] = []
  let refused = 0
  let number = 0
  let measuring = false
  let going = true
  const run = Math.random().toString(36).slice(2, 8)
  const one = () =>
    new Promise<void>((resolve) => {
      const n = `${run}-${++number}`
      const body = options.body.replaceAll('{n}', n)
      const began = performance.now()
      const headers = { ...options.headers, 'content-length': Buffer.byteLength(body) }
      const asked = request(
        { agent, host: '127.0.0.1', port: options.port, method: options.method, path: options.path.replaceAll('{n}', n), headers },
        (answer) => {
          answer.resume().on('end', () => {
            if (measuring && answer.statusCode === 200) times.push(performance.now() - began)
            else if (measuring) refused++
            resolve()
          })
        },
      )
      asked.on('error', () => {
        refused++
        resolve()
      })
      asked.end(body)
    })
  const clients = Array.from({ length: options.clients }, async () => {
    while (going) await one()
  })
  await pause(options.warmSeconds)
  measuring = true
  const began = performance.now()
  await pause(options.seconds)
  const took = (performance.now() - began) / 1000
  measuring = going = false
  await Promise.all(clients)
  agent.destroy()
  times.sort((a, b) => a - b)
  return { rate: times.length / took, p50: at(times, 0.5), p99: at(times, 0.99), refused }
}

export function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return at(
    [...values].sort((a, b) => a - b),
    0.5,
  )
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
