import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDeployLab } from './deploy-lab.suite.ts'
import type { DeployLab, Person } from './deploy-lab.suite.ts'

// What becomes of `image` and `image-destination` where no container runtime is: on the runtime for programs, and on one that says it runs images.
let programs: DeployLab
let images: DeployLab
const people = new Map<DeployLab, Person>()
const script = { type: 'job', name: 'made', 'image-destination': 'registry.local/made:1', cmd: ['/bin/sh', '/code/made.sh'] }
const tree = {
  'made/manifest.json': script,
  'made/code/Dockerfile': 'FROM scratch\nCOPY . /code\n',
  'made/code/made.sh': 'echo "made of code"',
  'pulled/manifest.json': { type: 'job', name: 'pulled', image: 'registry.local/pulled:1' },
  'flow/pipeline.json': { name: 'flow', tasks: [{ name: 'one', namespacetask: 'lab/pulled' }] },
}

beforeAll(async () => {
  programs = await openDeployLab({ config: { defaultRuntime: 'process', unsandboxed: 'allow' } })
  images = await openDeployLab({ knobs: { durationMs: 0 } })
  for (const lab of [programs, images]) {
    const ann = await lab.person('ann')
    people.set(lab, ann)
    await lab.repository('lab', tree, { owner: ann.principal })
  }
})
afterAll(async () => {
  await programs.close()
  await images.close()
})

const ask = (lab: DeployLab, path: string) => lab.get(people.get(lab) ?? null, path)

test.each([
  ['a task', '/v1/task/deploy/lab/pulled'],
  ['a pipeline with such a task', '/v1/pipeline/runas/lab/flow/first'],
])('%s with an image is 501 on the runtime for programs, says what it needs, and leaves nothing', async (_, path) => {
  const { status, json } = await ask(programs, path)
  expect(status).toBe(501)
  expect(json.error).toMatchObject({
    code: 'not_supported',
    message: expect.stringMatching(/registry\.local\/pulled:1.*needs a Docker or Kubernetes runtime/),
    details: {},
  })
  expect((json.error as { request_id: string }).request_id).not.toBe('')
  expect((await programs.system<{ items: unknown[] }>('run.list', { name: 'pulled' })).items).toEqual([])
})

test('of a task with an image destination the files of code/ are run there', async () => {
  const { status, json } = await ask(programs, '/v1/task/deploy/lab/made')
  expect([status, json.image]).toEqual([200, 'registry.local/made:1'])
  expect(await programs.until(`/v1/task/state/${json.id}`, ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded' })
  expect((await programs.system<{ text: string }>('run.log', { run: json.id, step: 'main' })).text).toBe('made of code\n')
})

test('where images run but nothing builds them, an image destination is 501 and an image is run', async () => {
  const made = await ask(images, '/v1/task/deploy/lab/made')
  expect([made.status, made.json.error]).toMatchObject([501, { code: 'not_supported', message: expect.stringContaining('Docker or Kubernetes') }])
  const pulled = await ask(images, '/v1/task/deploy/lab/pulled')
  expect(pulled.status).toBe(200)
  expect(await images.until(`/v1/task/state/${pulled.json.id}`, ['succeeded', 'failed'])).toMatchObject({ state: 'succeeded' })
})
