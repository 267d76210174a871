import { Closed, Nullable, Type } from '../kernel/schema.ts'
import { isFault } from '../kernel/fault.ts'
import { defineOperation } from './operation.ts'
import type { Json } from '../kernel/json.ts'
import type { AnyOperation } from './operation.ts'

const mostInner = 100

const run = defineOperation({
  name: 'batch.run',
  summary: 'Runs several operations one after the other, each with its own answer or error.',
  description:
    'Each is called as if it had been called alone: its own permission, its own commit, its own audit line. There is no common transaction.',
  input: Closed({
    operations: Type.Array(Closed({ operation: Type.String(), input: Type.Optional(Type.Unknown()) }), { minItems: 1, maxItems: mostInner }),
    stop_on_error: Type.Optional(Type.Boolean({ description: 'Leave out what comes after the first error.' })),
  }),
  output: Closed({
    results: Type.Array(
      Closed({
        operation: Type.String(),
        output: Type.Optional(Type.Unknown()),
        error: Type.Optional(Closed({ code: Type.String(), message: Type.String(), details: Nullable(Type.Unknown()) })),
      }),
    ),
  }),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { operations: [{ operation: 'session.get', input: {} }] },
  run: async (ctx, input) => {
    const results: { operation: string; output?: Json; error?: { code: string; message: string; details: unknown } }[] = []
    for (const { operation, input: inner = {} } of input.operations) {
      try {
        // A batch in a batch would get round the bound.
        results.push({ operation, output: await ctx.invoke<Json>(operation === run.name ? 'batch.nested' : operation, inner) })
      } catch (error) {
        if (!isFault(error)) throw error
        results.push({ operation, error: { code: error.code, message: error.message, details: error.details ?? null } })
        if (input.stop_on_error) break
      }
    }
    return { results }
  },
})

const batchOperations: readonly AnyOperation[] = [run]

export { batchOperations }
