import type { AnyOperation } from './operation.ts'

/** All operations by name. */
type Registry = ReadonlyMap<string, AnyOperation>

const namePattern = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/

/** The registry of `operations`, or an error that names every mistake at once: a program with one of them does not start. */
function createRegistry(operations: readonly AnyOperation[]): Registry {
  const registry = new Map<string, AnyOperation>()
  const mistakes: string[] = []
  for (const operation of operations) {
    mistakes.push(...mistakesOf(operation).map((mistake) => `${operation.name}: ${mistake}`))
    if (registry.has(operation.name)) mistakes.push(`${operation.name}: is declared twice`)
    registry.set(operation.name, operation)
  }
  if (mistakes.length > 0) throw new Error(`Operations are not well formed:\n${mistakes.join('\n')}`)
  return registry
}

function mistakesOf(operation: AnyOperation): string[] {
  const mistakes: string[] = []
  const say = (wrong: boolean, mistake: string) => wrong && mistakes.push(mistake)
  say(!namePattern.test(operation.name), 'the name is not <noun>.<verb>')
  say(!operation.summary?.trim().endsWith('.'), 'the summary is no sentence')
  say(!operation.input || !operation.output, 'a schema is missing')
  say(!operation.access, 'the permission rule is missing')
  say(!operation.subjects, 'the subjects are missing (an empty object says that there are none)')
  say(!operation.example, 'the example is missing')
  say(!['read', 'write', 'act'].includes(operation.effect), 'the effect is missing')
  say(operation.effect !== 'read' && typeof operation.audit !== 'object', 'a change without audit rule')
  say(operation.audit === undefined, 'the audit rule is missing')
  const inputs: unknown = Reflect.get(operation.input ?? {}, 'properties') ?? {}
  for (const [name, rule] of Object.entries(operation.subjects ?? {})) {
    say(!rule.need || !rule.kind, `subject ${name} has no need or kind`)
    say(!Object.hasOwn(inputs as object, rule.member), `subject ${name} reads ${rule.member}, which is no member of the input`)
  }
  return mistakes
}

export type { Registry }
export { createRegistry }
