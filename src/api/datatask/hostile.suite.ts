import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gitOut } from '../../adapters/git/git-lab.suite.ts'
import { manifestSchema, pipelineSchema, publishedSchema } from '../../core/deploy/manifest-schema.ts'
import type { Answer, DeployLab, Labs, Person } from './deploy-lab.suite.ts'

const good = '{"type":"job","name":"good","cmd":["/bin/true"]}'
const deep = (levels: number) => `{"type":"job","name":"deep","cmd":["x"],"x":${'['.repeat(levels)}${']'.repeat(levels)}}`

/** Texts that are no manifest, by the directory that each is in, with the code of what is wrong. */
const texts: Readonly<Record<string, readonly [text: string | Uint8Array, problem: string]>> = {
  empty: ['', 'syntax'],
  blank: ['  \n', 'syntax'],
  cut: ['{"type":"job"', 'syntax'],
  comment: ['{"type":"job" /* x */}', 'syntax'],
  trailing: [`${good}x`, 'syntax'],
  list: [`[${good}]`, 'type'],
  text: ['"job"', 'type'],
  nothing: ['null', 'type'],
  number: ['1e999', 'number'],
  huge: [`{"type":"job","name":"${'x'.repeat(2 * 1024 * 1024)}"}`, 'size'],
  deep: [deep(33), 'syntax'],
  abyss: [`${'['.repeat(500_000)}`, 'syntax'],
  twice: ['{"type":"service","type":"job","name":"x","cmd":["x"]}', 'duplicate'],
  'twice-below': ['{"type":"job","name":"x","cmd":["x"],"env":[{"name":"A","\\u006eame":"B"}]}', 'duplicate'],
  prototype: ['{"type":"job","name":"x","cmd":["x"],"__proto__":{"administrator":true}}', 'member'],
  'prototype-below': ['{"type":"job","name":"x","cmd":["x"],"labels":{"__proto__":"x"}}', 'member'],
  latin: [Buffer.from([...Buffer.from('{"type":"job","name":"x","cmd":["'), 0xe9, ...Buffer.from('"]}')]), 'encoding'],
  overlong: [Buffer.from([0x7b, 0xc0, 0xaf, 0x7d]), 'encoding'],
  mark: [`\ufeff${good}`, 'encoding'],
  wide: [Buffer.from(good, 'utf16le'), 'syntax'],
  surrogate: ['{"type":"job","name":"\\ud800","cmd":["x"]}', 'encoding'],
}

/** What a stranger may send in place of any value. */
const junk: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1.5, 2 ** 53, -0, 1e308],
  ...['', ' ', '\0', '\u202e', '\u{1f4a9}', '../../etc/passwd', '$(reboot)', '`id`', '--privileged', '-', 'x'.repeat(300), 'x'.repeat(140_000)],
  ...[[], {}, [null], [[]], [{}], ['\0'], [''], { constructor: 1 }, { name: {} }, { toString: 'x' }, Array.from({ length: 1100 }, () => 'x')],
]

/** Definitions and names of somebody who wants to break in, or only to break something. */
export function hostileSuite({ store, open }: Labs): void {
  describe(`hostile definitions over ${store}`, () => {
    let lab: DeployLab
    let ann: Person
    let before: string

    beforeAll(async () => {
      lab = await open({ config: { maxQueuedPerNamespace: 100_000, maxRunningPerNamespace: 1000 } })
      ann = await lab.person('ann')
      const { id } = await lab.repository('weather', { 'good/manifest.json': good }, { owner: ann.principal })
      await lab.system('grant.set', { to: 'user:ann', on: 'namespace:weather', level: 'admin' })
      const work = await mkdtemp(join(lab.folder, 'hostile-'))
      const put = async (name: string, content: string | Uint8Array, file = 'manifest.json') => {
        await mkdir(join(work, name), { recursive: true })
        await writeFile(join(work, name, file), content)
      }
      for (const [name, [content]] of Object.entries(texts)) await put(name, content)
      await put('good', good)
      await put('good', JSON.stringify({ name: 'line', tasks: [{ name: 'a', namespacetask: 'weather/good' }] }), 'pipeline.json')
      await writeFile(join(lab.folder, 'outside.json'), good)
      for (const [name, target] of Object.entries(links())) {
        await mkdir(join(work, name), { recursive: true })
        for (const file of ['manifest.json', 'pipeline.json']) await symlink(target.replace('FILE', file), join(work, name, file))
      }
      await symlink('good', join(work, 'linked-folder'))
      await mkdir(join(work, 'folder', 'manifest.json'), { recursive: true })
      await put('folder/manifest.json', good)
      await put('folder/pipeline.json', good)
      await gitOut(work, ['init', '-q', '-b', 'master'])
      await gitOut(work, ['add', '-A'])
      for (const path of ['module/manifest.json', 'module/pipeline.json', 'module-folder']) {
        await gitOut(work, ['update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},${path}`])
      }
      await gitOut(work, ['commit', '-q', '-m', 'hostile'])
      await gitOut(work, ['push', '-q', '-f', join(lab.folder, 'data', 'repositories', `${id}.git`), 'HEAD:refs/heads/master'])
      before = await everything()
    })
    afterAll(() => lab.close())

    const links = () => ({
      'link-out': join(lab.folder, 'outside.json'),
      'link-passwd': '/etc/passwd',
      'link-up': '../../../../outside.json',
      'link-in': '../good/FILE',
      'link-self': 'FILE',
    })
    const codeOf = ({ status, json }: Answer) => `${status} ${json.error?.code}`
    const problemsOf = ({ json }: Answer) => (json.error?.details.problems ?? []) as { path: string; code: string; severity: string }[]
    const everything = async () => (await lab.get(ann, '/v1/list/tasks')).text + (await lab.get(ann, '/v1/list/pipelines')).text
    const send = (configuration: unknown, more: Record<string, string> = {}) =>
      lab.post(ann, '/v2/task/deploy/with-configuration', {
        namespace: 'weather',
        configuration: typeof configuration === 'string' ? configuration : JSON.stringify(configuration),
        ...more,
      })
    const untouched = async () => expect(await everything()).toBe(before)

    test.each(Object.entries(texts))('a manifest that is "%s" in a repository is refused, and says so to who loads it', async (name, [, problem]) => {
      const answer = await lab.get(ann, `/v1/task/deploy/weather/${name}`)
      expect([codeOf(answer), problemsOf(answer)[0]?.code], answer.text.slice(0, 300)).toEqual(['422 manifest_invalid', problem])
      expect(answer.text.length).toBeLessThan(20_000)
      const { json } = await lab.post(ann, `/v2/task/load/configuration/from-git/weather/${name}`)
      const state = await lab.until(`/v2/task/get/configuration-loading-state/${json.work_id}`, ['succeeded', 'failed'])
      if (state.state === 'failed') expect(state).toMatchObject({ configuration: null, error: { code: 'manifest_invalid' } })
      // What can be parsed is given to be mended.
      else expect((state.problems as { severity: string }[]).some(({ severity }) => severity === 'error')).toBe(true)
      await untouched()
    })

    test.each(['link-out', 'link-passwd', 'link-up', 'link-in', 'link-self', 'module', 'folder'])(
      '"%s" in place of a file is followed nowhere',
      async (name) => {
        for (const [path, code] of [
          [`/v1/task/deploy/weather/${name}`, 'manifest_invalid'],
          [`/v1/pipeline/runas/weather/${name}/x`, 'pipeline_invalid'],
        ] as const) {
          const answer = await lab.get(ann, path)
          if (name === 'folder' && code === 'pipeline_invalid') expect(answer.status).toBe(422)
          else expect([codeOf(answer), problemsOf(answer)[0]?.code]).toEqual([`422 ${code}`, 'type'])
          expect(answer.text).not.toMatch(/root:|outside/)
        }
        await untouched()
      },
    )

    test.each(['linked-folder', 'module-folder', 'good%2Fmanifest.json', 'linked-folder%2F..%2Fgood'])('"%s" is no directory', async (name) => {
      const answer = await lab.get(ann, `/v1/task/deploy/weather/${name}`)
      expect(['404 directory_not_found', '400 invalid_parameter']).toContain(codeOf(answer))
      await untouched()
    })

    test.each(Object.entries(texts).filter(([, [content]]) => typeof content === 'string' && content.length < 100_000))(
      'a configuration in the body that is "%s" is refused',
      async (_, [content, problem]) => {
        const answer = await send(String(content), { namespace: 'weather' })
        const broken = ['syntax', 'type', 'number', 'encoding'].includes(problem) && !String(content).includes('\\ud800')
        if (content === '' || broken) expect(['400 invalid_parameter', '400 invalid_configuration', '400 invalid_form']).toContain(codeOf(answer))
        else expect([codeOf(answer), problemsOf(answer)[0]?.code]).toEqual(['422 manifest_invalid', problem])
        await untouched()
      },
    )

    describe('whatever stands in place of a value', () => {
      const base = { type: 'job', cmd: ['/bin/true'] }
      const service = { type: 'service', cmd: ['x'], 'container-port': 80, replicas: 0 }
      const spots = [
        ...Object.keys(manifestSchema.properties).map((key) => [key, (value: unknown) => ({ ...base, [key]: value })] as const),
        ...Object.keys(publishedSchema.properties).map(
          (key) => [`published/${key}`, (value: unknown) => ({ ...service, published: { prefix: '/p/', [key]: value } })] as const,
        ),
        ['env/0', (value: unknown) => ({ ...base, env: [value] })] as const,
        ...['name', 'value', 'valueFrom'].map(
          (key) => [`env/0/${key}`, (value: unknown) => ({ ...base, env: [{ name: 'A', [key]: value }] })] as const,
        ),
        ['env/0/valueFrom/secretKeyRef', (value: unknown) => ({ ...base, env: [{ name: 'A', valueFrom: { secretKeyRef: value } }] })] as const,
        ['labels/a', (value: unknown) => ({ ...base, labels: { a: value } })] as const,
        ['cmd/0', (value: unknown) => ({ ...base, cmd: [value] })] as const,
        ['unknown', (value: unknown) => ({ ...base, unknown: value })] as const,
      ]
      let count = 0

      test.each(spots)('of a manifest at /%s, it is taken or refused by name', async (spot, manifest) => {
        const top = spot.split('/')[0] ?? ''
        for (const value of junk) {
          const name = `j${++count}`
          const answer = await send(spot === 'name' ? manifest(value) : { name, ...manifest(value) })
          const told = `${JSON.stringify(value)?.slice(0, 60)}: ${answer.text.slice(0, 300)}`
          expect([200, 400, 422, 501], told).toContain(answer.status)
          if (answer.status === 422) {
            expect(['manifest_invalid', 'source_required'], told).toContain(answer.json.error?.code)
            const places = problemsOf(answer).filter(({ severity }) => severity === 'error')
            // A type or source that is none breaks rules about others as well.
            if (answer.json.error?.code === 'manifest_invalid')
              expect(
                places.some(({ path }) => path.split('/')[1] === top),
                told,
              ).toBe(true)
          }
          if (answer.status === 400) expect(answer.json.error?.code, told).toBe('invalid_configuration')
          if (answer.status === 200) {
            const { type, name: made } = answer.json
            await lab.system('task.delete', { namespace: 'weather', name: made, type })
          }
        }
      })

      const task = { name: 'a', namespacetask: 'weather/good' }
      const pipelineSpots = [
        ...Object.keys(pipelineSchema.properties).map((key) => [key, (value: unknown) => ({ name: 'p', tasks: [task], [key]: value })] as const),
        ...Object.keys(pipelineSchema.properties.tasks.items.properties).map(
          (key) => [`tasks/0/${key}`, (value: unknown) => ({ name: 'p', tasks: [{ ...task, [key]: value }] })] as const,
        ),
        ['tasks/0/env/0', (value: unknown) => ({ name: 'p', tasks: [{ ...task, env: [value] }] })] as const,
        ['tasks/0/env/0/value', (value: unknown) => ({ name: 'p', tasks: [{ ...task, env: [{ name: 'A', value }] }] })] as const,
      ]
      test.each(pipelineSpots)('of a pipeline at /%s, it is taken or refused by name', async (spot, pipeline) => {
        const top = spot.split('/')[0] ?? ''
        for (const value of junk) {
          const document = pipeline(value)
          const configuration = JSON.stringify(spot === 'name' ? document : { ...document, name: `p${++count}` })
          const answer = await lab.post(ann, '/v2/pipeline/run/with-configuration', { namespace: 'weather', configuration })
          const told = `${JSON.stringify(value)?.slice(0, 60)}: ${answer.text.slice(0, 300)}`
          expect([200, 422], told).toContain(answer.status)
          if (answer.status === 422)
            expect(
              problemsOf(answer).some(({ path }) => path.split('/')[1] === top),
              told,
            ).toBe(true)
          else await lab.until(`/v1/pipeline/state/weather/${answer.json.id}`, ['succeeded', 'failed'])
        }
      })
    })

    describe('a name', () => {
      const long = 'x'.repeat(63)
      const cases: [string, string | null][] = [
        ['plain', 'plain'],
        ['Under_Score', 'under-score'],
        ['a.b c', 'a-b-c'],
        [long, long],
        [`${long}x`, null],
        ['-a', null],
        ['a-', null],
        ['.a', null],
        [' a', null],
        ['a/b', null],
        ['a\\b', null],
        ['a\0', null],
        ['a\nb', null],
        ['a\r\nSet-Cookie: x=1', null],
        ['\u00e4', null],
        ['\u212a', null],
        ['\u0430', null],
        ['a\u200bb', null],
        ['a\u202eb', null],
        ['\u{1f4a9}', null],
        ["a';--", null],
        ['a%', null],
        ['%2e%2e', null],
        ['$(id)', null],
        ['<b>', null],
        ['{{7*7}}', null],
        ['*', null],
        ['__proto__', null],
        ['constructor', 'constructor'],
        ['1', '1'],
      ]
      const inPath = (name: string) => lab.get(ann, `/v1/task/deployinas/weather/good/weather/${encodeURIComponent(name)}`)
      const inNamespace = (name: string) => lab.get(ann, `/v1/list/tasks/${encodeURIComponent(name)}`)

      test.each(cases)('%j is taken in its normal form or refused, wherever it stands', async (given, normal) => {
        const inUrl = await inPath(given)
        const inManifest = await send({ type: 'job', name: given, cmd: ['/bin/true'] })
        const inForm = await lab.post(ann, '/v2/task/elaborate/deploy/weather/good', { name: given })
        const listed = await inNamespace(given)
        if (normal === null) {
          expect([codeOf(inUrl), inUrl.json.error?.details]).toEqual(['400 invalid_name', { field: 'name' }])
          expect([codeOf(inManifest), problemsOf(inManifest)[0]?.path]).toEqual(['422 manifest_invalid', '/name'])
          expect(codeOf(inForm)).toBe('400 invalid_name')
          expect(codeOf(listed)).toBe('400 invalid_name')
        } else {
          // The earlier ones have ended by the time: work takes no time here. Else they are in use under the same name.
          for (const answer of [inUrl, inManifest, inForm]) {
            if (answer.status === 200) expect(answer.json.name).toBe(normal)
            else expect(codeOf(answer)).toBe('409 name_in_use')
          }
          expect(inUrl.status).toBe(200)
          expect(codeOf(listed)).toBe(given === 'weather' ? '200 undefined' : '404 namespace_not_found')
        }
        // A message is a line of text, whatever was sent.
        for (const answer of [inUrl, inManifest, inForm, listed]) expect(answer.json.error?.message ?? '').not.toMatch(/[\p{Cc}\u200b\u202e]/u)
      })

      test.each(['default', 'kube-system', 'KUBE_System', 'kube.public', 'Default'])('the namespace %s is the platform’s own', async (namespace) => {
        const answer = await lab.get(ann, `/v1/task/deployinas/weather/good/${namespace}/x`)
        expect(codeOf(answer)).toBe('403 forbidden')
      })

      test.each([
        ...['.git', 'weather.git', 'weather.lock', 'a..b', '-x', 'weather%00', 'a%2Fb%2Fc', '%2Fetc', 'weather%2F', 'x'.repeat(101), '%E2%80%AE'],
      ])('the repository "%s" is refused before any is looked for', async (repository) => {
        const answer = await lab.get(ann, `/v1/task/deploy/${repository}/good`)
        expect([codeOf(answer), answer.json.error?.details]).toEqual(['400 invalid_parameter', { field: 'repository' }])
      })

      test.each(['a%2F..', '%2Fgood', 'good%2F', 'a%2F%2Fb', 'a%5Cb', 'good%00', 'good%0A', `${'x'.repeat(513)}`])(
        'the directory "%s" is refused before any is looked for',
        async (directory) => {
          const answer = await lab.get(ann, `/v1/task/deploy/weather/${directory}`)
          expect([codeOf(answer), answer.json.error?.details]).toEqual(['400 invalid_parameter', { field: 'directory' }])
        },
      )

      test.each([
        '-x',
        '--upload-pack=x',
        'a..b',
        'a b',
        'a~1',
        'a^',
        'a:b',
        '@{-1}',
        'a.lock',
        '/a',
        'a/',
        'a\\b',
        'a\nb',
        'refs/heads/-',
        '.a',
        'x'.repeat(256),
      ])('the branch %j is refused before any is looked for', async (branch) => {
        const answer = await lab.post(ann, '/v2/task/elaborate/deploy/weather/good', { branch })
        expect(['400 invalid_parameter', '404 branch_not_found']).toContain(codeOf(answer))
        expect(answer.status).toBe(branch === 'refs/heads/-' ? answer.status : 400)
      })
    })
  })
}
