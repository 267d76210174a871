import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gitUrl, pushTree, shellTask } from '../support/git.ts'
import { adminKey, adminPassword, startServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { attacks, hostileLinks } from './attacks.ts'
import type { Person, Server } from '../support/server.ts'

// The story: mallory has an account and may deploy her own tasks, as every user may. She knows where everything is: the data folder, the server's
// process, the run of vera's task. All that she gets out of it is what she brought along.

const victimSecret = 'canary-of-vera-3f9a'
const generalSecret = 'canary-of-all-77b1'
const ends = ['succeeded', 'failed', 'cancelled', 'timed_out', 'lost']

const root = process.getuid?.() === 0
const bubblewrap = ['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap'].filter((path) => existsSync(path))
// In a mount namespace of the server's own, nothing that can be run is where bubblewrap was.
const hidden = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `${bubblewrap.map((path) => `mount --bind /dev/null "$(realpath ${path})"`).join(' && ')} && exec "$@"`,
  'hide',
]

story('the best sandbox of this machine', [])
if (bubblewrap.length === 0)
  test.skip('a hostile task without bubblewrap (it is not installed here, so the story above was already without it)', () => {})
else if (!root || !canMount()) test.skip('a hostile task without bubblewrap (only root with the right to mount can hide it from a server)', () => {})
else story('bubblewrap hidden', hidden)

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '--bind', '/dev/null', '/dev/full'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function story(title: string, wrap: readonly string[]): void {
  describe(`a hostile task, with ${title}`, () => {
    let server: Server
    let mallory: Person
    let vera: Person
    let victim: { id: string }
    const outputs: Record<string, string> = {}

    beforeAll(async () => {
      // Not below /tmp, which work has one of its own instead of: here only the masks hide it.
      server = await startServer({ parent: '/var/tmp', wrap })
      mallory = await server.person('mallory')
      vera = await server.person('vera')
      await server.admin.ok('secret.set', { name: 'everywhere', value: generalSecret })
      victim = await deployVictim()
      for (const [name, script] of Object.entries(attacks)) outputs[name] = await attack(name, script)
    }, 90_000)
    afterAll(() => server?.close())

    async function deployVictim(): Promise<{ id: string }> {
      await vera.ok('repository.create', { path: 'vera-lab' })
      await server.admin.ok('namespace.create', { namespace: 'vera-lab' })
      await server.admin.ok('grant.set', { to: 'user:vera', on: 'namespace:vera-lab', level: 'admin' })
      await vera.ok('secret.set', { scope: 'namespace:vera-lab', name: 'token', value: victimSecret })
      const env = [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'token', key: 'value' } } }]
      await push(vera, 'vera-lab', shellTask('work', 'echo started; while :; do sleep 1; done', { env }))
      const { id } = await vera.ok('task.deploy', { repository: 'vera-lab', directory: 'work' })
      await until('the victim runs', async () => (await vera.get(`/api/v1/runs/${id}/log`)).text.includes('started'))
      return { id }
    }

    async function push(person: Person, path: string, tree: Parameters<typeof pushTree>[1]): Promise<void> {
      const { code, err } = await pushTree(gitUrl(server.url, path, person), tree)
      if (code !== 0) throw new Error(err)
    }

    async function attack(name: string, script: string): Promise<string> {
      const path = `mallory-${name}`
      await mallory.ok('repository.create', { path })
      const known = `export DATA='${server.data}' SERVER=${server.pid()} VICTIM=${victim.id}`
      await push(mallory, path, {
        ...shellTask('attack', `${known}\nexec 2>&1\n${script}\necho over`),
        ...(name === 'links' ? hostileLinks(server.data) : {}),
      })
      const { id } = await mallory.ok('task.deploy', { repository: path, directory: 'attack' })
      return logOf(id)
    }

    async function logOf(run: string): Promise<string> {
      await until(`the run ${run} is over`, async () => ends.includes((await mallory.ok('run.get', { run })).state), 30_000)
      return (await mallory.get(`/api/v1/runs/${run}/log`)).text
    }

    test('runs, and with the mechanism that it is meant for', () => {
      for (const [name, output] of Object.entries(outputs)) if (name !== 'signals') expect(output, name).toContain('over')
      if (wrap.length > 0) expect(server.said().log).toMatch(/"mechanism":"(namespaces|user)"/)
    })

    test('learns no key, no password and no secret, by any path', () => {
      const all = Object.values(outputs).join('\n')
      const keys = ['master.key', 'token.key'].map((name) => readFileSync(join(server.data, 'keys', name)))
      const canaries = [
        victimSecret,
        generalSecret,
        adminPassword,
        adminKey,
        ...keys.flatMap((key) => [key.toString('utf8').trim(), key.toString('hex')]),
      ]
      for (const canary of canaries) expect(all.includes(canary), `${canary.slice(0, 6)}… shows`).toBe(false)
      expect(all).not.toContain('CAPSTAN_ADMIN')
    })

    test('sees nothing of the data folder: not what is in it, nor that another task has a folder', () => {
      const all = Object.values(outputs).join('\n')
      expect(all).not.toMatch(/^capstan\.(db|lock|pid)|\scapstan\.db$/m)
      expect(outputs.neighbour).not.toMatch(new RegExp(`${victim.id}[^'"\\s]*/(work|out|task)`))
    })

    test('signals neither the server nor the task of another, and both go on', async () => {
      expect(outputs.signals).not.toContain(`reached ${server.pid()}`)
      expect((await vera.ok('run.get', { run: victim.id })).state).toBe('running')
      process.kill(server.pid(), 0)
    })

    test('gets no secret of another by naming it in a manifest', async () => {
      await mallory.ok('repository.create', { path: 'tricks' })
      const refs = ['everywhere', '../vera-lab/token', 'namespace:vera-lab/token', 'token', '__proto__']
      for (const [at, name] of refs.entries()) {
        const env = [{ name: 'GOT', valueFrom: { secretKeyRef: { name, key: 'value' } } }]
        await push(mallory, 'tricks', shellTask(`trick${at}`, 'env | grep GOT | rev', { env }))
        const reply = await mallory.call('task.deploy', { repository: 'tricks', directory: `trick${at}` })
        if (reply.status !== 200) {
          expect(reply.status, reply.text).toBe(422)
          continue
        }
        const run = await until('it has ended', async () => {
          const found = await mallory.ok('run.get', { run: reply.json.id })
          return ends.includes(found.state) ? found : null
        })
        expect(run.state, name).toBe('failed')
        const log = (await mallory.get(`/api/v1/runs/${reply.json.id}/log`)).text
        for (const secret of [victimSecret, generalSecret]) expect(log).not.toContain([...secret].reverse().join(''))
      }
    })

    test('gets into no namespace and no repository of another, in a manifest or in a request', async () => {
      await push(mallory, 'tricks', shellTask('plain', 'true', { namespace: 'vera-lab' }))
      const into = await mallory.call('task.deploy', { repository: 'tricks', directory: 'plain', namespace: 'vera-lab' })
      expect([into.status, into.json.error?.code]).toEqual([403, 'forbidden'])
      const from = await mallory.call('task.deploy', { repository: 'vera-lab', directory: 'work', namespace: 'tricks' })
      expect([from.status, from.json.error?.code]).toEqual([404, 'not_found'])
      const pipeline = { name: 'line', original: 'line', tasks: [{ name: 'steal', namespacetask: 'vera-lab/work' }] }
      await push(mallory, 'tricks', { 'line/pipeline.json': pipeline })
      const line = await mallory.call('pipeline.run', { repository: 'tricks', directory: 'line' })
      expect(line.status, line.text).toBeGreaterThanOrEqual(400)
      expect(line.status).toBeLessThan(500)
    })

    test('is led nowhere by links in place of a manifest, its folder or its code', async () => {
      const manifest = { type: 'job', name: 'linked', cmd: ['/bin/sh', '-c', 'ls -la /code; cat /code/keys/master.key /code/master.key'] }
      await push(mallory, 'tricks', {
        'asmanifest/manifest.json': { link: `${server.data}/keys/master.key` },
        'asmanifest/code/x': 'x',
        asfolder: { link: `${server.data}/keys` },
        'ascode/manifest.json': manifest,
        'ascode/code': { link: `${server.data}/keys` },
      })
      const key = readFileSync(join(server.data, 'keys', 'master.key'), 'utf8').trim()
      for (const directory of ['asmanifest', 'asfolder', 'ascode', '../vera-lab/work', 'asfolder/../../..']) {
        const reply = await mallory.call('task.deploy', { repository: 'tricks', directory })
        expect(reply.text).not.toContain(key)
        // A link is no folder: a task whose code is one runs without code.
        if (directory === 'ascode') expect(await logOf(reply.json.id)).not.toContain(key)
        else expect([400, 404, 422], `${directory}: ${reply.text}`).toContain(reply.status)
      }
    })

    test('names variables that change the programs of the server, and only changes her own', async () => {
      const env = ['LD_PRELOAD', 'PATH', 'BASH_ENV', 'ENV', 'NODE_OPTIONS', 'GIT_DIR'].map((name) => ({ name, value: '/code/evil' }))
      await push(
        mallory,
        'tricks',
        shellTask('variables', 'exec 2>&1; id -u; kill -0 "$SERVER" && echo reached', {
          env: [...env, { name: 'SERVER', value: String(server.pid()) }],
        }),
      )
      const reply = await mallory.call('task.deploy', { repository: 'tricks', directory: 'variables' })
      if (reply.status === 200) {
        expect(await logOf(reply.json.id)).not.toMatch(/^0$|reached/m)
      } else expect(reply.status).toBe(422)
      expect((await server.admin.call('session.get')).status).toBe(200)
    })
  })
}
