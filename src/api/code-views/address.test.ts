import { expect, test } from 'vitest'
import { looksLikeView, readingsOf } from './address.ts'

const raw = (repository: string, revision: string, path: string) => ({ repository, view: { kind: 'raw', revision, path } })

test.each([
  ['/lab/weather/raw/tip/README.md', [raw('lab/weather', 'tip', 'README.md')]],
  ['//_31/raw/a%2Fb/src/%C3%A4%20b.ts?api_key=x', [raw('_31', 'a/b', 'src/ä b.ts')]],
  ['/raw/raw/raw/raw', [raw('raw', 'raw', 'raw')]],
  ['/a/raw/b/raw/c/d', [raw('a', 'b', 'raw/c/d'), raw('a/raw/b', 'c', 'd')]],
  ['/a/changeset-diff/tip', [{ repository: 'a', view: { kind: 'difference', form: 'diff', revision: 'tip' } }]],
  ['/a/b/changeset-patch/1%2F2', [{ repository: 'a/b', view: { kind: 'difference', form: 'patch', revision: '1/2' } }]],
  ['/a/archive/v1.0.tar.gz', [{ repository: 'a', view: { kind: 'archive', revision: 'v1.0', format: 'tar.gz' } }]],
  ['/a/archive/feature/x.zip', [{ repository: 'a', view: { kind: 'archive', revision: 'feature/x', format: 'zip' } }]],
  ['/a/archive/tip.rar', [{ repository: 'a', view: { kind: 'archive', revision: 'tip.rar', format: null } }]],
  ['/a/archive/.zip', [{ repository: 'a', view: { kind: 'archive', revision: '.zip', format: null } }]],
])('%s is read as it is meant', (target, wanted) => {
  expect(readingsOf(target)).toEqual(wanted)
})

test.each([
  '/raw/tip/README.md',
  '/a/raw/tip',
  '/a/raw/tip/',
  '/a/raw/tip/../x',
  '/a/raw/tip/%2E%2E/x',
  '/a/raw/tip/x%2F..%2Fy',
  '/a/raw/tip/x%00',
  '/a/raw/tip/%zz',
  '/a%2Fb/raw/tip/x',
  '/./raw/tip/x',
  '/a/changeset-diff/x/y',
  '/a/Raw/tip/x',
])('%s is no view of anything', (target) => {
  expect(readingsOf(target)).toEqual([])
})

test('what git asks for is no view, whatever a repository is called', () => {
  expect(looksLikeView('/a/raw/tip/info/refs?service=git-upload-pack')).toBe(false)
  expect(looksLikeView('/a/raw/tip/x')).toBe(true)
  expect(looksLikeView('/a/b')).toBe(false)
})

test('an address of many words is not read without end', () => {
  expect(readingsOf(`/a${'/raw/x'.repeat(1000)}`)).toHaveLength(8)
})
