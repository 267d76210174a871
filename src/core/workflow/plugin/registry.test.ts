import { afterAll, beforeAll, expect, test } from 'vitest'
import { openApp } from '../../../../test/support/app.ts'
import { registryLogin } from './registry.ts'
import type { Person, TestApp } from '../../../../test/support/app.ts'

let app: TestApp
let ann: Person
beforeAll(async () => {
  app = await openApp()
  ann = await app.person('ann')
  await app.system('grant.set', { to: 'user:ann', on: 'system:system', level: 'none', extras: ['plugin.modify'] })
})
afterAll(() => app.close())

const keep = (name: string, key: string, value: string) => app.system('secret.set', { name, key, value })

test('the login of a registry is a general secret of its name with a user and a password, sealed as every other', async () => {
  expect(await registryLogin(app.services, 'images.lab.test:5000')).toBeNull()
  await keep('registry.images.lab.test_5000', 'user', 'puller')
  expect(await registryLogin(app.services, 'images.lab.test:5000')).toBeNull()
  await keep('registry.images.lab.test_5000', 'password', 'hush-hush')
  expect(await registryLogin(app.services, 'Images.lab.test:5000')).toEqual({ user: 'puller', password: 'hush-hush' })
  expect(await registryLogin(app.services, 'images.lab.test')).toBeNull()
  expect(JSON.stringify(await app.system('secret.list'))).not.toContain('hush-hush')
})

test('an image that is pulled with a login may be installed only by whom that secret is granted', async () => {
  const install = async (image: string) => {
    const spec = 'name: one\nvendor: lab\nversion: 1.0.0\n'
    return (await ann.call('plugin.install', { image, spec })).json.error
  }
  // There is no engine here: who comes so far may pull.
  const allowed = { code: 'malformed_request', message: expect.stringContaining('Docker engine') }
  expect(await install('closed.lab.test/vendor/one:1.0.0')).toMatchObject(allowed)
  for (const registry of ['closed.lab.test', 'docker.io']) {
    for (const key of ['user', 'password']) await keep(`registry.${registry}`, key, 'something')
  }
  const images = ['closed.lab.test/vendor/one:1.0.0', 'CLOSED.lab.test/vendor/one', 'vendor/one:1.0.0', 'docker.io/vendor/one:1.0.0', 'one']
  for (const image of images) expect(await install(image), image).toMatchObject({ code: 'forbidden' })
  expect(await install('open.lab.test/vendor/one:1.0.0')).toMatchObject(allowed)
  for (const registry of ['closed.lab.test', 'docker.io'])
    await app.system('grant.set', { to: 'user:ann', on: `secret:registry.${registry}`, level: 'execute' })
  for (const image of images) expect(await install(image), image).toMatchObject(allowed)
})
