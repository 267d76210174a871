import { isFault } from '../../src/core/kernel/fault.ts'
import { isObject } from '../../src/core/kernel/json.ts'
import type { FastifyRequest } from 'fastify'
import type { Api, ApiHost } from '../../src/api/api.ts'
import type { RepositoryView } from '../../src/core/repository/view.ts'

type Asked = { id?: unknown; api_key?: unknown; method?: unknown; args?: unknown }
type Args = Readonly<Record<string, unknown>>

// Kallithea contract §1: one endpoint, one object in and one out, always 200; the id comes back with its type.
export const kallithea: Api = {
  name: 'kallithea',
  segments: ['_admin'],
  register(http, host) {
    http.removeAllContentTypeParsers()
    http.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
    http.post<{ Body: string }>('/_admin/api', async (request) => answer(request, host, JSON.parse(request.body) as Asked))
  },
}

async function answer(request: FastifyRequest, host: ApiHost, asked: Asked) {
  for (const key of ['api_key', 'id'] as const) if (!(key in asked)) return errorOf(null, `Incorrect JSON query missing '${key}'`)
  const { id, method } = asked
  for (const key of ['method', 'args'] as const) if (!(key in asked)) return errorOf(id, `Incorrect JSON query missing '${key}'`)
  const args = isObject(asked.args) ? asked.args : {}
  try {
    const origin = host.originOf(request, 'kallithea')
    const principal = await host.identify({ form: 'api-key', secret: String(asked.api_key), key: null }, origin)
    if (method !== 'get_repo') return errorOf(id, `No such method: ${method}`)
    if (!('repoid' in args)) return errorOf(id, 'Missing non optional `repoid` arg in JSON DATA')
    const located = await host.invoke<{ id: string }>({ principal, origin }, 'repository.locate', { path: decodeRepoid(args) })
    return { id, result: encodeRepo(await host.invoke({ principal, origin }, 'repository.get', { repository: located.id })), error: null }
  } catch (error) {
    return errorOf(id, textOf(error, args))
  }
}

const errorOf = (id: unknown, error: string) => ({ id, result: null, error })

// §2.1: a number or digits are the primary key, other texts the full path.
function decodeRepoid({ repoid }: Args): string {
  return /^\d+$/.test(String(repoid)) ? `_${repoid}` : String(repoid)
}

// §3.4: exact texts echo the reference as it was given. What is hidden reads like what is missing, as §7 has it for `get_repo`.
function textOf(error: unknown, { repoid }: Args): string {
  if (isFault(error, 'invalid_credential')) return 'Invalid API key'
  return isFault(error) && error.context.kind === 'repository' ? `repository \`${repoid}\` does not exist` : 'Internal server error'
}

function encodeRepo(it: RepositoryView) {
  const names = { repo_id: it.serial, repo_name: it.path, repo_type: it.kind, clone_uri: null, landing_rev: it.landing_revision.split(':') }
  const flags = { private: it.private, enable_statistics: it.statistics, enable_downloads: it.downloads }
  return { ...names, ...flags, description: it.description, fork_of: it.fork_of, owner: it.owner, created_on: it.created_at.slice(0, -1) }
}
