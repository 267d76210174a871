import { expect, test } from 'vitest'
import { StartError } from '../../ports/runtime.ts'
import { noImageBuilds } from './none.ts'
import type { WantedImage } from '../../ports/image-builds.ts'
import type { RuntimeCapabilities } from '../../ports/runtime.ts'

const capabilities: RuntimeCapabilities = { survivesServer: true, code: true, images: false, builds: false, limits: true, isolated: true }
const programs = { name: 'process', capabilities }
const containers = { name: 'docker', capabilities: { ...capabilities, images: true } }
const existing: WantedImage = { kind: 'existing', image: 'registry.local/a:1' }
const built: WantedImage = { kind: 'built', destination: 'registry.local/b:1', code: null }
const { signal } = new AbortController()

test('what it cannot do says what is needed', () => {
  const builds = noImageBuilds()
  expect(builds.refusal(existing, programs)).toBe('it needs a Docker or Kubernetes runtime, and the runtime "process" runs programs')
  expect(builds.refusal(built, programs)).toContain('needs a Docker or Kubernetes runtime')
  expect(builds.refusal(built, containers)).toContain('needs a Docker or Kubernetes runtime')
})

test('an image that exists goes to a runtime for images as it is', async () => {
  const builds = noImageBuilds()
  expect(builds.refusal(existing, containers)).toBeNull()
  expect(await builds.prepare(existing, containers, { signal })).toBe('registry.local/a:1')
})

test('what was accepted by a server that could do more fails for good, and says why', async () => {
  for (const [wanted, runtime] of [
    [existing, programs],
    [built, containers],
  ] as const) {
    const failed = noImageBuilds().prepare(wanted, runtime, { signal })
    await expect(failed).rejects.toThrow(StartError)
    await expect(failed).rejects.toMatchObject({ retry: false, message: expect.stringContaining('Docker or Kubernetes') })
  }
})
