import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ConfigError, loadConfig } from './load.ts'
import { keyList } from './schema.ts'
import { warningsOf } from './warnings.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(() => rm(join(folder, 'capstan.toml'), { force: true }))

const load = (environment: Record<string, string> = {}, flags: readonly string[] = []) => loadConfig({ folder, environment, flags })
const toml = (text: string) => writeFile(join(folder, 'capstan.toml'), text)

/** The one line that an operator sees. */
async function refusal(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  const { message } = error as ConfigError
  expect(message).not.toContain('\n')
  return message
}

describe('what is in effect', () => {
  test('nothing configured is a server on loopback with its data in ./data', async () => {
    expect(await load()).toMatchObject({
      host: '127.0.0.1',
      port: 9120,
      data: join(folder, 'data'),
      pluginRoot: join(folder, 'data', 'plugins'),
      publicUrl: 'http://127.0.0.1:9120',
      gatewayUrl: 'http://127.0.0.1:9121',
      registration: 'approval',
      openRoutes: 'all',
      sample: true,
      trustedIdentityPeers: [],
      databaseUrl: null,
    })
  })

  test('a flag wins over the environment, and that over the file', async () => {
    await toml('port = 1001\nhost = "127.0.0.2"\nsession_hours = 5\n')
    const config = await load({ CAPSTAN_PORT: '1002', CAPSTAN_HOST: '127.0.0.3' }, ['--port', '1003'])
    expect([config.port, config.host, config.sessionHours]).toEqual([1003, '127.0.0.3', 5])
    expect(config.sources).toMatchObject({ port: 'flag', host: 'environment', sessionHours: 'file', data: 'default' })
  })

  test('flags are written with a space or an equals sign, and switches with or without no', async () => {
    expect(await load({}, ['--port=1', '--no-sample', '--deploy-api-require-identity-everywhere'])).toMatchObject({
      port: 1,
      sample: false,
      requireIdentityEverywhere: true,
    })
  })

  test('tables and lists of the file are read', async () => {
    await toml('trusted_proxies = ["10.0.0.1", "fd00::/8"]\n[deploy_api]\ntrusted_identity_peers = "192.0.2.0/24"\nopen_routes = "granted"\n')
    expect(await load()).toMatchObject({
      trustedProxies: ['10.0.0.1/32', 'fd00::/8'],
      trustedIdentityPeers: ['192.0.2.0/24'],
      openRoutes: 'granted',
    })
  })

  test('open routes show what was granted as soon as others can reach the server', async () => {
    expect((await load({ CAPSTAN_HOST: '0.0.0.0' })).openRoutes).toBe('granted')
    expect((await load({ CAPSTAN_HOST: '0.0.0.0', CAPSTAN_DEPLOY_API_OPEN_ROUTES: 'all' })).openRoutes).toBe('all')
  })

  test('an empty variable is not set, and variables of tests and of the client do not matter', async () => {
    const config = await load({ CAPSTAN_PORT: '', CAPSTAN_TEST_REQUIRE: 'docker', CAPSTAN_SERVER: 'http://x', CAPSTAN_TOKEN: 't', PATH: '/bin' })
    expect(config.port).toBe(9120)
  })

  test('no two keys share a name', () => {
    for (const name of ['path', 'environment', 'flag'] as const) {
      const names = keyList.map(([, key]) => key[name])
      expect(new Set(names).size).toBe(names.length)
    }
  })

  test('every description is one sentence', () => {
    for (const [, key] of keyList) expect(key.description, key.path).toMatch(/^[A-Z].*\.$/)
  })
})

describe('what is refused', () => {
  test('unknown names, with the name', async () => {
    expect(await refusal(load({ CAPSTAN_PROT: '1' }))).toContain('CAPSTAN_PROT')
    expect(await refusal(load({}, ['--no-such-flag']))).toContain('--no-such-flag')
    expect(await refusal(load({}, ['stray']))).toContain('stray')
    await toml('no_such_key = "x"\n')
    expect(await refusal(load())).toContain('no_such_key')
    await toml('[deploy_api]\nno_such_key = 1\n')
    expect(await refusal(load())).toContain('deploy_api.no_such_key')
    await toml('[port]\nx = 1\n')
    expect(await refusal(load())).toContain('port')
  })

  test.each([
    ['CAPSTAN_PORT', 'nine'],
    ['CAPSTAN_PORT', '65536'],
    ['CAPSTAN_PORT', '1e3'],
    ['CAPSTAN_PORT', '-1'],
    ['CAPSTAN_SAMPLE', 'perhaps'],
    ['CAPSTAN_SAMPLE', 'constructor'],
    ['CAPSTAN_REGISTRATION', 'Open'],
    ['CAPSTAN_PUBLIC_URL', 'capstan.example'],
    ['CAPSTAN_PUBLIC_URL', 'javascript:alert(1)'],
    ['CAPSTAN_PUBLIC_URL', 'https://user:secret@capstan.example'],
    ['CAPSTAN_ALLOWED_ORIGINS', 'https://tools.example/path'],
    ['CAPSTAN_ALLOWED_ORIGINS', 'null'],
    ['CAPSTAN_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['CAPSTAN_TRUSTED_PROXIES', '10.0.0'],
    ['CAPSTAN_TRUSTED_IDENTITY_PEERS', 'all'],
    ['CAPSTAN_EGRESS_ALLOW', '10.0.0.0/8/8'],
    ['CAPSTAN_HOST', 'a b'],
    ['CAPSTAN_ADMIN_EMAIL', 'nobody'],
    ['CAPSTAN_DATA', 'a\nb'],
  ])('%s=%s', async (name, value) => {
    expect(await refusal(load({ [name]: value }))).toContain(name)
  })

  test('a secret value is never repeated', async () => {
    expect(await refusal(load({ CAPSTAN_DATABASE_URL: 'mysql://u:hunter2@h/d' }))).not.toContain('hunter2')
    expect(await refusal(load({ CAPSTAN_ADMIN_NAME: 'root', CAPSTAN_ADMIN_API_KEY: 'hunter2' }))).not.toContain('hunter2')
  })

  test('a secret has no flag, and the refusal says what there is instead', async () => {
    expect(await refusal(load({}, ['--admin-password', 'hunter2']))).toMatch(/CAPSTAN_ADMIN_PASSWORD/)
  })

  test('a value of the wrong TOML type, and a file that is no TOML', async () => {
    await toml('port = "9120"\n')
    expect(await refusal(load())).toContain('port')
    await toml('host = 5\n')
    expect(await refusal(load())).toContain('host')
    await toml('port = \n')
    expect(await refusal(load())).toContain('line 1')
  })

  test('an administrator who could not sign in, and two listeners on one port', async () => {
    expect(await refusal(load({ CAPSTAN_ADMIN_NAME: 'root' }))).toContain('CAPSTAN_ADMIN_PASSWORD')
    expect(await refusal(load({ CAPSTAN_ADMIN_PASSWORD: 'x' }))).toContain('CAPSTAN_ADMIN_NAME')
    expect(await refusal(load({ CAPSTAN_PORT: '9121' }))).toContain('CAPSTAN_GATEWAY_PORT')
  })

  test('a flag without its value', async () => {
    expect(await refusal(load({}, ['--port']))).toContain('--port')
  })
})

describe('warnings at start', () => {
  const warn = async (environment: Record<string, string>) => warningsOf(await load(environment)).join('\n')

  test('the defaults warn of nothing', async () => {
    expect(await warn({})).toBe('')
  })

  test('believing identity headers from loopback or from a wide range', async () => {
    for (const peers of ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0/0', '126.0.0.0/7', '::ffff:127.0.0.1/128']) {
      expect(await warn({ CAPSTAN_TRUSTED_IDENTITY_PEERS: peers }), peers).toContain('loopback')
    }
    expect(await warn({ CAPSTAN_TRUSTED_IDENTITY_PEERS: '10.0.0.0/7' })).toContain('wide')
    expect(await warn({ CAPSTAN_TRUSTED_IDENTITY_PEERS: '10.0.0.0/8' })).toBe('')
  })

  test('what is only safe on loopback, beyond it', async () => {
    const beyond = { CAPSTAN_HOST: '0.0.0.0', CAPSTAN_PUBLIC_URL: 'https://capstan.example' }
    expect(await warn(beyond)).toBe('')
    expect(await warn({ ...beyond, CAPSTAN_DEPLOY_API_OPEN_ROUTES: 'all' })).toContain('open routes')
    expect(await warn({ ...beyond, CAPSTAN_REGISTRATION: 'first' })).toContain('first')
    expect(await warn({ ...beyond, CAPSTAN_REGISTRATION: 'open' })).toContain('open')
    expect(await warn({ ...beyond, CAPSTAN_PUBLIC_URL: 'http://capstan.example' })).toContain('TLS')
    expect(await warn({ CAPSTAN_UNSANDBOXED: 'allow' })).toContain('CAPSTAN_UNSANDBOXED')
  })
})
