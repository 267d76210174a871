import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDeployLab } from './deploy-lab.suite.ts'
import type { Answer, DeployLab } from './deploy-lab.suite.ts'

let lab: DeployLab
let root: string

beforeAll(async () => {
  lab = await openDeployLab()
  root = join(lab.folder, 'data', 'templates')
  const files: Record<string, string> = {
    'task/job.json': '{"type":"job","cmd":["true"]}',
    'task/B.json': '{}',
    'task/deep/er/a.json': '{"a":1}',
    'task/readme.md': 'no template',
    'task/.hidden.json': '{}',
    'task/with space.json': '{}',
    'task/list.json': '[]',
    'task/broken.json': '{',
    'task/latin.json': '',
    'task/twice.json': '{"a":1,"a":2}',
    'pipeline/line.json': '{"name":"line"}',
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
  }
  await writeFile(join(root, 'task', 'latin.json'), Buffer.from([0x7b, 0xff, 0x7d]))
  await writeFile(join(root, 'task', 'large.json'), `{"a":"${'x'.repeat(1024 * 1024)}"}`)
  await writeFile(join(lab.folder, 'outside.json'), '{"secret":true}')
  await symlink(join(lab.folder, 'outside.json'), join(root, 'task', 'link.json'))
  await symlink(lab.folder, join(root, 'task', 'folder'))
  await mkdir(join(root, 'task', 'folder.json'))
})
afterAll(() => lab.close())

const get = (kind: string, path: string) => lab.post(null, `/v2/${kind}/get/template`, { template_path: path })
const errorOf = (answer: Answer) => [answer.status, answer.json.error?.code]

test('the lists name the files of their kind that end in .json, by code point, and follow no link', async () => {
  const tasks = await lab.get(null, '/v2/task/list/templates')
  const names = ['B.json', 'broken.json', 'deep/er/a.json', 'job.json', 'large.json', 'latin.json', 'list.json', 'twice.json']
  expect(tasks.json).toEqual({ template_filenames: names })
  expect((await lab.get(null, '/apps/deploy-api/v2/pipeline/list/templates/')).json).toEqual({ template_filenames: ['line.json'] })
})

test('a template is read by the name in its list, and only through the routes of its kind', async () => {
  expect((await get('task', 'job.json')).json).toEqual({ template_path: 'job.json', template: { type: 'job', cmd: ['true'] } })
  expect((await get('task', 'deep/er/a.json')).json).toMatchObject({ template: { a: 1 } })
  expect((await get('pipeline', 'line.json')).status).toBe(200)
  expect(errorOf(await get('pipeline', 'job.json'))).toEqual([404, 'template_not_found'])
  expect(errorOf(await get('task', 'line.json'))).toEqual([404, 'template_not_found'])
})

test.each([
  '../task/job.json',
  '/etc/passwd.json',
  'a/../job.json',
  'a//b.json',
  './job.json',
  '.hidden.json',
  'job.json\0',
  'job',
  'a..b.json',
  'ä.json',
])('the path "%s" is refused before any file is looked at', async (path) => {
  const answer = await get('task', path)
  expect(errorOf(answer)).toEqual([400, 'invalid_parameter'])
  expect(answer.json.error?.details).toEqual({ field: 'template_path' })
})

test.each([`${'a'.repeat(251)}.json`, 'x'.repeat(2000)])('a path that is too long is refused', async (path) => {
  expect(errorOf(await get('task', path))).toEqual([400, 'invalid_parameter'])
})

test.each(['none.json', 'link.json', 'folder/outside.json', 'folder.json', 'job.json/x.json'])('"%s" is no template', async (path) => {
  const answer = await get('task', path)
  expect(errorOf(answer)).toEqual([404, 'template_not_found'])
  expect(answer.text).not.toContain('secret')
})

test.each(['list.json', 'broken.json', 'latin.json', 'twice.json', 'large.json'])('"%s" is no usable template', async (path) => {
  expect(errorOf(await get('task', path))).toEqual([422, 'template_invalid'])
})

test('a name is required', async () => {
  expect(errorOf(await lab.post(null, '/v2/task/get/template'))).toEqual([400, 'invalid_parameter'])
})
