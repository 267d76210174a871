import { isFault } from '../../src/core/kernel/fault.ts'
import { anonymous } from '../../src/core/identity/principal.ts'
import type { FastifyRequest } from 'fastify'
import type { Api, ApiHost } from '../../src/api/api.ts'
import type { Call } from '../../src/core/operation/invoke.ts'
import type { Fault } from '../../src/core/kernel/fault.ts'
import type { RepositoryView } from '../../src/core/repository/view.ts'

// Komodo contract §2.1: the type is in the path, the parameters are the whole body; success is exactly 200.
const reads = { GetRepo: { operation: 'repository.get', decode: ({ repo }: { repo?: string }) => ({ repository: repo ?? '' }), encode: encodeRepo } }

export const komodo: Api = {
  name: 'komodo',
  segments: ['read'],
  register(http, host) {
    http.post<{ Params: { type: string }; Body: { repo?: string } }>('/read/:type', async (request, reply) => {
      try {
        const { type } = request.params
        const row = Object.hasOwn(reads, type) ? reads[type as keyof typeof reads] : null // it is one of them, the line above says
        if (!row) return reply.code(422).send({ error: `unknown variant \`${type}\``, trace: [] })
        return row.encode(await host.invoke<RepositoryView>(await callOf(request, host), row.operation, row.decode(request.body)))
      } catch (error) {
        if (!isFault(error)) throw error
        return reply.code(error.code === 'invalid_credential' || error.code === 'unauthenticated' ? 401 : 500).send(encodeFault(error))
      }
    })
  },
}

async function callOf(request: FastifyRequest, host: ApiHost): Promise<Call> {
  const origin = host.originOf(request, 'komodo')
  const { 'x-api-key': key, 'x-api-secret': secret } = request.headers
  if (typeof key !== 'string' || typeof secret !== 'string') return { principal: anonymous, origin }
  return { principal: await host.identify({ form: 'api-key', key, secret }, origin), origin }
}

// §10: a document's own id is the first 96 bits of ours; a list item's info as §10's RepoListItem.info.
function encodeRepo(repository: RepositoryView) {
  const { id, path, default_branch: branch, clone_url: link, last_commit: last } = repository
  const info = { server_id: '', builder_id: '', last_pulled_at: 0, last_built_at: 0, git_provider: new URL(link).host, repo: path, branch }
  return {
    id: id.replaceAll('-', '').slice(0, 24),
    type: 'Repo',
    name: path,
    template: false,
    tags: [],
    info: { ...info, repo_link: link, state: 'Ok', ...(last && { latest_hash: last.id }) },
  }
}

// §2.5
function encodeFault(fault: Fault) {
  if (fault.code === 'not_found') return { error: `Did not find any Repo matching ${fault.context.reference}`, trace: [] }
  return { error: fault.code === 'invalid_credential' ? 'Invalid user credentials' : fault.message, trace: [] }
}
