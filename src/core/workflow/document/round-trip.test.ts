import { expect, test } from 'vitest'
import { isFault } from '../../kernel/fault.ts'
import { komFile, iconFile } from './document.suite.ts'
import { readWorkflowFile, writeWorkflowFile } from './file.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'

const by = { at: 0, user_name: 'bob', first_name: '', last_name: '', email: '' }

/** Numbers between 0 and 1 that are the same in every run. */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) / 2 ** 24
  }
}

const strange: readonly Json[] = [
  null,
  '',
  'x',
  0,
  7,
  true,
  false,
  [],
  {},
  [null],
  ['a', 1],
  { a: { b: null } },
  'ü]. ',
  JSON.parse('{"__proto__":{"b":1}}') as Json,
]
const names = ['zz', '__proto__', 'constructor', 'defaultImageData', ' ', '']

/** The same file with members taken away, put in, and of other values here and there. */
function disturbed(value: Json, next: () => number, chance: number): Json {
  if (next() < chance) return strange[Math.floor(next() * strange.length)] ?? null
  if (Array.isArray(value)) return value.filter(() => next() > chance / 2).map((item) => disturbed(item, next, chance))
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value)
    .filter(() => next() > chance / 2)
    .map(([name, member]) => [name, disturbed(member, next, chance)] as const)
  const more = next() < chance ? [[names[Math.floor(next() * names.length)] ?? '', disturbed(null, next, 1)] as const] : []
  return Object.fromEntries([...entries, ...more])
}

test.each([
  ['.kom', komFile, 'kom'],
  ['.icon', iconFile, 'icon'],
] as const)('a %s file is either refused with a reason or written again as it came, whatever its members are', (_, make, format) => {
  // Without what is masked.
  const text = JSON.stringify(make()).replace('"url":"http://x","password":"hunter22","key":{"secretKey":"s"}', '"url":"http://x"')
  const whole = JSON.parse(text) as JsonObject
  const next = numbersFrom(format === 'kom' ? 1 : 2)
  let read = 0
  for (let round = 0; round < 1500; round++) {
    const file = disturbed(whole, next, 0.02) as JsonObject // or what is refused
    try {
      const { documents } = readWorkflowFile(file)
      if (documents.length !== 1 || documents[0] === undefined || hasGaps(file)) continue
      // As a store gives it back.
      const document = JSON.parse(JSON.stringify(documents[0])) as (typeof documents)[0]
      expect(writeWorkflowFile(document, format, by).file).toEqual(file)
      expect(JSON.stringify(writeWorkflowFile(document, format, by).file)).toHaveLength(JSON.stringify(file).length)
      read++
    } catch (error) {
      if (!isFault(error)) throw error
      expect(error.code).toBe('malformed_request')
    }
  }
  expect(read).toBeGreaterThan(300)
})

/** What every file has, and is put in where one has it not: version and date, the lists of steps and paths, a node for each step. */
function hasGaps(file: JsonObject): boolean {
  const kom = file.kom as JsonObject | undefined
  if (!kom) {
    const [workflow] = file.workflows as JsonObject[]
    return lacks(file, 'export_date', 'komand_version', 'export_by') || lacks(workflow, 'steps', 'paths')
  }
  const [version] = kom.workflowVersions as JsonObject[]
  const nodes = ((version?.graph as JsonObject | undefined)?.nodes ?? {}) as JsonObject
  const missing = Object.keys((version?.steps ?? {}) as JsonObject).some((id) => !Object.hasOwn(nodes, id))
  return missing || lacks(kom, 'exportedAt', 'komandVersion', 'komFileVersion') || lacks(version, 'graph', 'steps')
}

function lacks(object: JsonObject | undefined, ...members: string[]): boolean {
  return members.some((name) => object?.[name] === undefined || object[name] === null)
}

test.each([
  ['0.4.0', { komand_version: '0.4.0' }, []],
  ['0.4', { komand_version: '0.4' }, []],
  ['0.4000', { komand_version: '0.4000' }, []],
  ['0.4.17', { komand_version: '0.4.17' }, []],
  ['none', {}, ['the file names no "komand_version"; it was read as 0.4']],
  ['null', { komand_version: null }, ['the file names no "komand_version"; it was read as 0.4']],
] as [string, JsonObject, string[]][])('a .kom file of version %s is read', (_, head, warnings) => {
  expect(readWorkflowFile({ ...head, workflows: [{ name: 'x' }] })).toMatchObject({ documents: [{ name: 'x' }], warnings })
})

test.each<[Json]>([['0.5.0'], ['0.40.0.x'], ['0.41'], ['1.0'], ['2.0.0'], [''], [0.4], [[]], [{}]])(
  'a .kom file of version %j is refused by name',
  (version) => {
    const told = `"komand_version" is ${JSON.stringify(version)}; files of version 0.4 can be read`
    expect(() => readWorkflowFile({ komand_version: version, workflows: [] })).toThrow(told)
  },
)

test.each([
  ['2.0.0', []],
  ['2', []],
  ['2.1.0', ['"komFileVersion" is 2.1.0; it was read as 2.0.0, and what is new in it is only kept']],
  [null, ['the file names no "komFileVersion"; it was read as 2.0.0']],
] as [Json, string[]][])('an .icon file of version %j is read, and the version goes out as it came', (version, warnings) => {
  const read = readWorkflowFile({ kom: { komFileVersion: version, workflowVersions: [{ name: 'x' }] } })
  expect(read.warnings).toEqual(warnings)
  const [document] = read.documents
  expect(document && writeWorkflowFile(document, 'icon', by).file.kom).toMatchObject({ komFileVersion: version })
})

test.each<[Json]>([['1.0.0'], ['3.0.0'], ['two'], [''], [2], [true]])('an .icon file of version %j is refused by name', (version) => {
  expect(() => readWorkflowFile({ kom: { komFileVersion: version } })).toThrow(
    `"komFileVersion" is ${JSON.stringify(version)}; files of version 2.0.0 can be read`,
  )
})

test('what cannot be read in several workflows of a file is said at once, each with its place', () => {
  const workflows = [
    { name: 'one', steps: {} },
    { name: 'good', steps: [] },
    { name: 'three', type: 'odd' },
    { name: 'four', paths: [1] },
  ]
  expect(() => readWorkflowFile({ komand_version: '0.4.0', workflows })).toThrow(
    '"steps" of the workflow "one" is not a list of objects; "type" of the workflow "three" is neither "normal" nor "snippet"; "paths" of the workflow "four"',
  )
})

test('triggers that start no workflow stay with a workflow that is alone in its file, and are named where there are several', () => {
  const alone = komFile()
  alone.triggers = [{ id: 'other', name: 'Other', type: 'trigger_odd' }, ...(alone.triggers as JsonObject[])]
  const [document] = readWorkflowFile(alone).documents
  expect(document && writeWorkflowFile(document, 'kom', by).file.triggers).toEqual(alone.triggers)
  const several = { ...alone, workflows: [...(alone.workflows as JsonObject[]), { name: 'second' }] }
  const read = readWorkflowFile(several)
  expect(read.documents.map(({ triggers }) => triggers.length)).toEqual([1, 0])
  expect(read.warnings).toEqual(['the trigger "Other" starts no workflow of the file and is left out'])
})
