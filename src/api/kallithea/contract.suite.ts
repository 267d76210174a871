import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cases, notAdmin } from './contract-cases.suite.ts'
import { namedShapes, shapeProblems } from './contract-shapes.suite.ts'
import { worldOf } from './contract-world.suite.ts'
import { openKallitheaLab } from './kallithea-lab.suite.ts'
import { methods } from './table.ts'
import { str } from './python.ts'
import type { Shape } from './contract-shapes.suite.ts'
import type { World } from './contract-world.suite.ts'
import type { KallitheaLab } from './kallithea-lab.suite.ts'

type Fact = {
  readonly method: string
  readonly aliases?: readonly string[]
  readonly args: readonly { readonly name: string; readonly optional: boolean; readonly default: unknown }[]
  readonly permission: string
  readonly result: Shape
  readonly errors: readonly string[]
  readonly success_msg?: string
}

/** The contract's table of methods. */
export const facts = JSON.parse(readFileSync(join(import.meta.dirname, 'contract-methods.json'), 'utf8')) as readonly Fact[]

const built = new Map(methods.map((method) => [method.name, method]))
const shapes = namedShapes(new Map(facts.map(({ method, result }) => [method, result])))

/** A template with its words: those that were said, else the arguments. */
function filled(template: string, words: Readonly<Record<string, unknown>>): string {
  return template.replace(/^(Internal server error) \(.*\)$/, '$1').replace(/\{([^}]+)\}/g, (_, name: string) => str(words[name]))
}

/** Everything that the contract's table says about a method, tried on a running server; for repositories of each kind that can be made there. */
export function contractSuite(title: string, options: { readonly databaseUrl?: string; readonly kinds: readonly ('git' | 'hg')[] }): void {
  describe(title, () => {
    let lab: KallitheaLab
    beforeAll(async () => {
      lab = await openKallitheaLab(options.databaseUrl ? { config: { databaseUrl: options.databaseUrl } } : {})
    })
    afterAll(() => lab?.close())

    describe.each(facts.filter(({ method }) => built.has(method)).map((fact) => [fact.method, fact] as const))('%s', (method, fact) => {
      test('takes its arguments in their order, and none else', async () => {
        const own = built.get(method)
        expect(Object.keys(own?.args ?? {})).toEqual(fact.args.map(({ name }) => name))
        expect(Object.values(own?.args ?? {}).map(({ optional }) => optional)).toEqual(fact.args.map(({ optional }) => optional))
        expect(own?.aliases ?? []).toEqual(fact.aliases ?? [])
        const last = fact.args.findLast(({ optional }) => !optional)
        if (last) expect(await lab.error(lab.root, method)).toBe(`Missing non optional \`${last.name}\` arg in JSON DATA`)
        const all = Object.fromEntries(fact.args.map(({ name }) => [name, null]))
        expect(await lab.error(lab.root, method, { ...all, odd: 1 })).toBe('Unknown `odd` arg in JSON DATA')
      })

      const found = Object.hasOwn(cases, method) ? cases[method] : undefined
      if (!found) return

      test('has every error of the contract in its tests', () => {
        const wanted = fact.errors.filter((error) => error !== notAdmin)
        expect(Object.keys(found.errors).sort()).toEqual([...wanted].sort())
      })

      if (fact.errors.includes(notAdmin)) {
        test('is for administrators, and tells nobody else more than that it went wrong', async () => {
          const { ann } = await worldOf(lab, 'git')
          const all = Object.fromEntries(fact.args.map(({ name }) => [name, null]))
          expect(await lab.error(ann, method, all)).toBe('Internal server error')
        })
      }

      describe.each(found.repositories ? options.kinds : (['git'] as const))('%s', (kind) => {
        let world: World
        beforeAll(async () => {
          world = await worldOf(lab, kind)
        })

        test('gives what the contract says', async () => {
          const { args, words } = await found.good(world)
          const result = await lab.result(world.root, method, args)
          expect(shapeProblems(result, fact.result, shapes)).toEqual([])
          const [message] = (fact.success_msg ?? '').split(' | ')
          if (message) expect(result.msg).toBe(filled(message.replace(/ \(success true\)$/, ''), { ...args, ...words }))
        })

        test('takes null for everything that may be left out', async () => {
          const { args } = await found.good(world)
          const nulls = Object.fromEntries(
            fact.args.filter(({ name, optional }) => optional && !found.kept?.includes(name)).map(({ name }) => [name, null]),
          )
          const sent = { ...nulls, ...Object.fromEntries(Object.entries(args).filter(([name]) => !Object.hasOwn(nulls, name))) }
          expect(await lab.error(world.root, method, sent)).toBeNull()
        })

        for (const [template, provoke] of Object.entries(found.errors)) {
          if ('unprovoked' in provoke) test.skip(`${template}: ${provoke.unprovoked}`, () => undefined)
          else {
            test(`says: ${template}`, async () => {
              const { args, as = world.root, words, without } = await provoke(world)
              const text = filled(template, { ...args, ...words })
              if (without === undefined) expect(await lab.error(as, method, args)).toBe(text)
              else await world.without(without, async (who) => expect(await lab.error(who, method, args)).toBe(text))
            })
          }
        }
      })
    })
  })
}
