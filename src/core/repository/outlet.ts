import { fault } from '../kernel/fault.ts'
import { Type } from '../kernel/schema.ts'
import { onStorage } from './on-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { CodeBytes } from '../../ports/code-streams.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/** What is about to come out of an outlet. */
type Delivery = {
  /** A file name for it. */
  readonly name: string
  readonly commit: string
  /** How many bytes it has; null: nobody knows yet. */
  readonly bytes: number | null
}

/**
 * Where the bytes of an answer go, handed in by an API that sends them as they come. As with `Transfer`: an operation that takes one is over when the answer
 * is, so there is no second way in for streams. Resolves when the client has it all or has gone.
 */
type Outlet = (delivery: Delivery, body: AsyncIterable<Uint8Array>) => Promise<void>

/** An outlet in an input: a function, which no JSON can be. What comes over the native API or the CLI never has one. */
const OutletMember = Type.Optional(
  Type.Unsafe<() => Outlet>({
    not: { type: ['object', 'array', 'string', 'number', 'boolean', 'null'] },
    description: 'Only for APIs inside the server that send files.',
  }),
)

/** Sends bytes of the storage of a repository through an outlet, and ends what makes them, whatever happens. */
async function deliver(
  ctx: Ctx,
  row: ResourceRow,
  outlet: Outlet,
  delivery: Delivery,
  bytes: () => Promise<CodeBytes | AsyncIterableIterator<Uint8Array>>,
): Promise<void> {
  await onStorage(ctx, row, async () => {
    const body = (await bytes())[Symbol.asyncIterator]()
    try {
      await outlet(delivery, { [Symbol.asyncIterator]: () => body })
    } finally {
      await body.return?.()
    }
  })
}

/** The outlet of an input; without one the operation cannot be used. `instead` says what can. */
function outletOf(operation: string, outlet: (() => Outlet) | undefined, instead: string): Outlet {
  if (outlet) return outlet()
  throw fault('unsupported', { what: operation, why: `it sends bytes as they come: ${instead}` })
}

export type { Outlet, Delivery }
export { OutletMember, deliver, outletOf }
