import { decodeArguments, givenName } from './argument.ts'
import { Refused } from './errors.ts'
import { str } from './python.ts'
import type { Json } from '../../core/kernel/json.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Arguments, Signature } from './argument.ts'
import type { ErrorRule } from './errors.ts'

/** A method of the API: one entry of the table, and all that is special about it. */
type Method<S extends Signature = Signature> = {
  readonly name: string
  /** Other names that call it. */
  readonly aliases?: readonly string[]
  /** In the order of the contract: the last missing one is the one that is named. */
  readonly args: S
  /** Who may call it at all: anybody with a key, or administrators (contract §1.1 row 15). */
  readonly caller: 'anybody' | 'administrator'
  /** The operations that it calls. It can call no others. */
  readonly operations: readonly string[]
  /** What the faults of these operations are called here, the first that fits. Templates take arguments as they were given, and what `know` was told. */
  readonly errors: readonly ErrorRule[]
  /** The text for everything else that goes wrong in it; without one that is `Internal server error`. */
  readonly failed?: string
  readonly run: (call: MethodCall, args: Arguments<S>) => Promise<unknown>
}

/** A method as the table keeps it, without the types of its own arguments. */
type AnyMethod = Omit<Method, 'run'> & { readonly start: (call: MethodCall) => Promise<unknown> }

/** Declares a method. */
function defineMethod<const S extends Signature>({ run, ...method }: Method<S>): AnyMethod {
  return { ...method, start: (call) => run(call, decodeArguments(method.args, call.given)) }
}

type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null }

/** One call of a method: who calls, with what, and the ways to operations and texts. */
class MethodCall {
  readonly host: ApiHost
  readonly caller: Call
  /** The arguments as they were sent. */
  readonly given: Readonly<Record<string, Json>>
  readonly #method: AnyMethod
  readonly #known = new Map<string, unknown>()

  constructor(options: { host: ApiHost; caller: Call; method: AnyMethod; given: Readonly<Record<string, Json>> }) {
    this.host = options.host
    this.caller = options.caller
    this.given = options.given
    this.#method = options.method
  }

  get administrator(): boolean {
    return this.caller.principal.administrator
  }

  /** Runs one of the method's operations as the caller. */
  invoke<Output>(operation: string, input: Readonly<Record<string, unknown>>): Promise<Output> {
    if (!this.#method.operations.includes(operation)) throw new Error(`${this.#method.name} does not say that it calls ${operation}`)
    return this.host.invoke<Output>(this.caller, operation, input)
  }

  /** Everything that an operation lists, read page by page. */
  async all<Item>(operation: string, input: Readonly<Record<string, unknown>> = {}): Promise<Item[]> {
    const items: Item[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: Page<Item> = await this.invoke(operation, { ...input, limit: 1000, ...(cursor !== undefined && { cursor }) })
      items.push(...page.items)
      cursor = page.next
    }
    return items
  }

  /** Adds names that texts may use from now on: what was found, instead of what was asked for. */
  know(names: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(names)) this.#known.set(name, value)
  }

  /** A text with its `{names}` filled in. */
  say(template: string): string {
    return template.replace(/\{(\w+)\}/g, (_, name: string) => str(this.#value(name)))
  }

  /** Ends the call with an error of this text. */
  refuse(template: string): never {
    throw new Refused(this.say(template))
  }

  #value(name: string): unknown {
    if (this.#known.has(name)) return this.#known.get(name)
    const argument = this.#method.args[name]
    const value = this.given[argument ? givenName(name, argument, this.given) : name]
    return value === undefined || value === null ? (argument?.fallback ?? null) : value
  }
}

export type { Method, AnyMethod }
export { defineMethod, MethodCall }
