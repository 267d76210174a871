import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { apis } from '../src/api/index.ts'

// README.md must not promise an API that is not there, nor hide one that is.

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const [, table = ''] = /<!-- states: test\/readme\.test\.ts [^\n]*-->\n([\s\S]*?)\n\n/.exec(readme) ?? []
const rows = table
  .split('\n')
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, api = '', clients = '', state = '']) => ({ api, clients, state }))

/** What the README calls an API of ours. The health and home pages are no API that somebody's client was written for. */
const names: Readonly<Record<string, RegExp>> = {
  native: /^native/,
  'git-http': /git over HTTP/,
  datatask: /DataTask/,
  kallithea: /Kallithea/,
  'code-views': /Kallithea/,
  'hg-http': /hg over HTTP/,
  komand: /Komand/,
  komodo: /Komodo/,
  porter: /Porter/,
}
const pages = ['home', 'health']
const notBuilt = /not built/

test('every API of the one list is in the table and not called missing, and every other is called so', () => {
  const built = apis.map(({ name }) => name).filter((name) => !pages.includes(name))
  expect(built.filter((name) => !Object.hasOwn(names, name))).toEqual([])
  for (const [name, pattern] of Object.entries(names)) {
    const row = rows.find(({ api }) => pattern.test(api))
    expect(row, `${name} has a row`).toBeDefined()
    // Two APIs may share a row: then it is called missing only while both are.
    const sharing = Object.entries(names)
      .filter(([, other]) => other.test(row?.api ?? ''))
      .map(([other]) => other)
    expect(notBuilt.test(row?.state ?? ''), `${row?.api}: ${row?.state}`).toBe(!sharing.some((one) => built.includes(one)))
  }
})

test('every row is about an API, its clients and its state', () => {
  for (const { api, clients, state } of rows) {
    expect(
      Object.values(names).some((pattern) => pattern.test(api)),
      api,
    ).toBe(true)
    expect(clients).not.toBe('')
    expect(state).not.toBe('')
  }
})

test('every published API that is built has a README beside it, which names its contract', () => {
  const published = apis.map(({ name }) => name).filter((name) => !pages.includes(name) && name !== 'native')
  const folders = readdirSync(join(root, 'src', 'api'))
  for (const name of published) {
    expect(folders).toContain(name)
    const file = join(root, 'src', 'api', name, 'README.md')
    expect(existsSync(file), `src/api/${name}/README.md`).toBe(true)
    expect(readFileSync(file, 'utf8')).toMatch(/contract/i)
  }
})

test('every file that the README leads to is there', () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path = '']) => path)
  expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test('every file that a page of docs, or a README beside the code, names is there', () => {
  const files = ['src', 'docs', 'test', 'bench', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  // The checklists name files that somebody is going to write.
  const pages = files.filter((name) => name.endsWith('.md') && !/^docs\/(add-an?-|decisions\/)|^examples\//.test(name))
  expect(pages.length).toBeGreaterThan(10)
  const missing = pages.flatMap((page) => {
    const folder = dirname(page)
    const near = page.startsWith('docs/') ? files : files.filter((name) => name.startsWith(`${folder}/`))
    const named = [...readFileSync(join(root, page), 'utf8').matchAll(/[`[ ]((?:[\w.-]+\/)*[\w.-]+\.ts)(?=[`\],: ])/g)].map(([, name = '']) => name)
    const there = (name: string) =>
      [join(folder, name), name, join('src', name)].some((path) => existsSync(join(root, path))) || near.some((path) => path.endsWith(`/${name}`))
    return named.filter((name) => !there(name)).map((name) => `${page}: ${name}`)
  })
  expect(missing).toEqual([])
})
