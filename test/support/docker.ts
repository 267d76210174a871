import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.ts'

const run = promisify(execFile)

/** A Docker engine of the test's own: no network but none, its own data folder. */
export type TestDocker = {
  readonly socket: string
  /** Makes an image of busybox whose entry point is this text. */
  image(name: string, entry: string): Promise<string>
  /** The files of such an image as a tar. */
  layer(entry: string): Promise<Buffer>
  /** Names of all containers, those that have ended too. */
  containers(): Promise<string[]>
  call(method: string, path: string, body?: Buffer | object): Promise<{ status: number; json: unknown }>
  /** It hangs until `thaw`. */
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

const busybox = '/bin/busybox'

/** Starts an engine, or says why there can be none. When CAPSTAN_TEST_REQUIRE names `docker`, its absence throws. */
export async function startDocker(): Promise<TestDocker | { readonly missing: string }> {
  const found = await tryStart().catch((error: unknown) => ({ missing: error instanceof Error ? error.message : String(error) }))
  if ('missing' in found && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('docker'))
    throw new Error(`A Docker engine is required for this run of the tests: ${found.missing}`)
  return found
}

async function tryStart(): Promise<TestDocker | { missing: string }> {
  if (process.getuid?.() !== 0) return { missing: 'a Docker engine of the test runs as root only' }
  if (!existsSync('/usr/bin/dockerd') && !existsSync('/usr/sbin/dockerd')) return { missing: 'dockerd is not installed (docker.io)' }
  if (!existsSync(busybox)) return { missing: 'there is no static busybox to make images of (busybox-static)' }
  // Short: paths of sockets end at 107 bytes.
  const folder = mkdtempSync('/tmp/dk-')
  const socket = join(folder, 'docker.sock')
  const said = openSync(join(folder, 'log'), 'w')
  const own = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')]
  // It touches neither bridges nor the rules of the host's firewall.
  const alone = ['--bridge', 'none', '--iptables=false', '--ip-forward=false', '--ip-masq=false', '--userland-proxy=false']
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  // It ends with its test: a file of which no test was chosen stops nothing.
  const engine = spawn('setpriv', ['--pdeathsig', 'TERM', 'dockerd', ...own, ...alone, '-H', `unix://${socket}`], {
    env,
    stdio: ['ignore', said, said],
  })
  const over: Promise<unknown> = new Promise((resolve) => engine.once('close', resolve))
  engine.on('error', () => {})

  const stop = async () => {
    if (engine.exitCode === null && engine.signalCode === null && engine.pid !== undefined) {
      engine.kill('SIGTERM')
      await over
    }
    for (const mounted of ['data', 'exec/netns/default']) await run('umount', [join(folder, mounted)]).catch(() => null) // not every engine mounts them
    rmSync(folder, { recursive: true, force: true })
  }

  const call: TestDocker['call'] = (method, path, body) => {
    const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
    const headers = { 'content-type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json', 'content-length': bytes?.length ?? 0 }
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: socket, method, path, headers, agent: false }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, json: jsonOf(text) }))
      })
      asked.on('error', reject)
      asked.end(bytes)
    })
  }

  try {
    await until('the engine answers', async () => {
      if (engine.exitCode !== null) throw new Error('dockerd has ended')
      return (await call('GET', '/_ping').catch(() => null))?.status === 200
    })
  } catch (error) {
    const log = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n').at(-1)
    await stop()
    return { missing: `${error instanceof Error ? error.message : String(error)}: ${log}` }
  }

  const layer = async (entry: string) => {
    const root = mkdtempSync(join(folder, 'root-'))
    for (const name of ['bin', 'etc', 'tmp', 'var/cache']) mkdirSync(join(root, name), { recursive: true })
    await run('cp', [busybox, join(root, 'bin')])
    await run('chroot', [root, '/bin/busybox', '--install', '-s', '/bin'])
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
    writeFileSync(join(root, 'bin/entry'), entry, { mode: 0o755 })
    const { stdout } = await run('tar', ['-C', root, '-c', '.'], { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 })
    return stdout
  }
  return {
    ...{ socket, call, layer, stop },
    freeze: () => void engine.kill('SIGSTOP'),
    thaw: () => void engine.kill('SIGCONT'),
    async image(name, entry) {
      const query = new URLSearchParams({ fromSrc: '-', repo: `test/${name}`, tag: '1.0.0' })
      for (const change of ['ENTRYPOINT ["/bin/entry"]', 'ENV PATH=/bin']) query.append('changes', change)
      const made = await call('POST', `/images/create?${query.toString()}`, await layer(entry))
      if (made.status !== 200) throw new Error(`The image cannot be made: ${JSON.stringify(made.json)}`)
      return `test/${name}:1.0.0`
    },
    async containers() {
      const { json } = await call('GET', '/containers/json?all=1')
      return (json as { Names: string[] }[]).flatMap(({ Names }) => Names.map((name) => name.slice(1)))
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
