import { fault } from '../kernel/fault.ts'
import { Closed, Nullable, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { RepositoryMember } from './inputs.ts'
import { onStorage } from './on-storage.ts'
import type { Ctx } from '../operation/context.ts'
import type { GitServeRequest } from '../../ports/git.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'

/**
 * The two ends of one request of git's smart protocol, handed in by an API that speaks it. An operation that takes one is over when the answer is: so its
 * authorisation, its audit line and its result belong to what really happened, and there is no second way in for streams.
 */
type Transfer = {
  /** The decoded body of the request; null when there is none. */
  readonly body: AsyncIterable<Uint8Array> | null
  /**
   * Takes the answer and resolves when the client has it all or has gone. Rejects, with nothing sent, with what `body` throws before its first piece.
   */
  readonly answer: (contentType: string, body: AsyncIterable<Uint8Array>) => Promise<void>
}

/** A transfer in an input: a function, which no JSON can be. What comes over the native API or the CLI never has one. */
const TransferMember = Type.Optional(
  Type.Unsafe<() => Transfer>({
    not: { type: ['object', 'array', 'string', 'number', 'boolean', 'null'] },
    description: 'Only for APIs inside the server that speak git.',
  }),
)

const ProtocolMember = Type.Optional(Nullable(Type.String({ maxLength: 4096, description: "The client's Git-Protocol header." })))

/** The transfer of an input; without one the operation cannot be used. */
function transferOf(operation: string, row: ResourceRow, transfer: (() => Transfer) | undefined): Transfer {
  if (transfer) return transfer()
  throw fault('unsupported', { what: operation, why: `it speaks the git protocol: use git with the clone address of "${row.name}"` })
}

/** Serves one request and gives its answer to the client. Resolves when git has ended and everything it called has returned. */
async function serve(ctx: Ctx, row: ResourceRow, transfer: Transfer, request: Omit<GitServeRequest, 'id' | 'signal' | 'body'>): Promise<void> {
  await onStorage(ctx, row, async () => {
    const answer = await ctx.services.git.serve({
      ...request,
      id: row.id,
      signal: ctx.signal,
      body: request.phase === 'advertise' ? null : transfer.body,
    })
    const body = answer.body[Symbol.asyncIterator]()
    try {
      await transfer.answer(answer.contentType, { [Symbol.asyncIterator]: () => body })
    } finally {
      await body.return?.()
    }
  })
}

const advertiseRefs = defineOperation({
  name: 'repository.advertise-refs',
  summary: 'Begins a conversation with a git client: tells which refs there are and what the server can do.',
  input: Closed({
    repository: RepositoryMember,
    service: OneOf(['upload-pack', 'receive-pack']),
    protocol: ProtocolMember,
    transfer: TransferMember,
  }),
  output: Closed({}),
  access: 'anyone',
  subjects: {
    repository: subject('repository', 'read', 'repository'),
    target: {
      kind: 'repository',
      need: 'write',
      member: 'repository',
      reference: (input: { repository: string; service: string }) => (input.service === 'receive-pack' ? input.repository : undefined),
    },
  },
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { repository: 'lab/weather', service: 'upload-pack' },
  async run(ctx, input, { repository }) {
    const transfer = transferOf('repository.advertise-refs', repository.row, input.transfer)
    await serve(ctx, repository.row, transfer, { service: input.service, phase: 'advertise', protocol: input.protocol ?? null })
    return {}
  },
})

const uploadPack = defineOperation({
  name: 'repository.upload-pack',
  summary: 'Gives a git client the objects that it wants (clone, fetch, pull).',
  input: Closed({ repository: RepositoryMember, protocol: ProtocolMember, transfer: TransferMember }),
  output: Closed({}),
  access: 'anyone',
  subjects: { repository: subject('repository', 'read', 'repository') },
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { repository: 'lab/weather' },
  async run(ctx, input, { repository }) {
    const transfer = transferOf('repository.upload-pack', repository.row, input.transfer)
    await serve(ctx, repository.row, transfer, { service: 'upload-pack', phase: 'exchange', protocol: input.protocol ?? null })
    return {}
  },
})

export type { Transfer }
export { TransferMember, ProtocolMember, transferOf, serve, advertiseRefs, uploadPack }
