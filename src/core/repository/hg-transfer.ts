import { fault } from '../kernel/fault.ts'
import { Closed, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { RepositoryMember } from './inputs.ts'
import { onStorage } from './on-storage.ts'
import { specOf } from './spec.ts'
import type { Ctx } from '../operation/context.ts'
import type { HgServeRequest } from '../../ports/hg.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/**
 * The two ends of one request of Mercurial's protocol, handed in by an API that speaks it: as `Transfer` is for git. An operation that takes one is over when
 * the answer is.
 */
type HgTransfer = Pick<HgServeRequest, 'method' | 'command' | 'query' | 'headers' | 'body'> & {
  /** Takes the answer and resolves when the client has it all or has gone. Rejects, with nothing sent, with what `body` throws before its first piece. */
  readonly answer: (head: { status: number; headers: Readonly<Record<string, string>> }, body: AsyncIterable<Uint8Array>) => Promise<void>
}

/** Such a transfer in an input: a function, which no JSON can be. */
const HgTransferMember = Type.Optional(
  Type.Unsafe<() => HgTransfer>({
    not: { type: ['object', 'array', 'string', 'number', 'boolean', 'null'] },
    description: 'Only for APIs inside the server that speak Mercurial.',
  }),
)

type Hooks = Pick<HgServeRequest, 'onCommands' | 'onChanged'>

/** Serves one request at one of the two ends and gives its answer to the client. Resolves when everything that it called has returned. */
async function serveHg(ctx: Ctx, row: ResourceRow, transfer: HgTransfer, end: 'read' | 'write', hooks: Hooks = {}): Promise<void> {
  const { answer: take, ...request } = transfer
  if (specOf(row).kind !== 'hg') throw notMercurial(row)
  await onStorage(ctx, row, async () => {
    const answer = await ctx.services.hg.serve({ ...request, ...hooks, id: row.id, end, signal: ctx.signal })
    const body = answer.body[Symbol.asyncIterator]()
    try {
      await take({ status: answer.status, headers: answer.headers }, { [Symbol.asyncIterator]: () => body })
    } finally {
      await body.return?.()
    }
  })
}

function notMercurial(row: ResourceRow) {
  return fault('unsupported', { what: "Mercurial's protocol", why: `"${row.name}" is a git repository` })
}

const readHg = defineOperation({
  name: 'repository.read-hg',
  summary: 'Answers what a Mercurial client asks (clone, pull, identify).',
  description: 'At an end that cannot write, whatever the command is.',
  input: Closed({ repository: RepositoryMember, hg_transfer: HgTransferMember }),
  output: Closed({}),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository: { row } }) {
    const transfer = input.hg_transfer?.()
    if (!transfer) {
      const why = `it speaks Mercurial's protocol: use hg with the clone address of "${row.name}"`
      throw fault('unsupported', { what: 'repository.read-hg', why })
    }
    await serveHg(ctx, row, transfer, 'read')
    return {}
  },
})

export type { HgTransfer }
export { HgTransferMember, serveHg, readHg }
