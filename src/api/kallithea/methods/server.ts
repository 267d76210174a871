import { asIs, flag, optional, required, text } from '../argument.ts'
import { absent, missing } from '../errors.ts'
import { locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { networkRange } from '../network-range.ts'
import { ourVersion } from '../version.ts'
import type { RepositoryView } from '../../../core/repository/view.ts'
import type { AnyMethod } from '../method.ts'

const test = defineMethod({
  name: 'test',
  args: { args: required(asIs) },
  caller: 'administrator',
  operations: [],
  errors: [],
  run: async (_call, { args }) => args,
})

const pull = defineMethod({
  name: 'pull',
  args: { repoid: required(asIs), clone_uri: optional(text, null) },
  caller: 'administrator',
  operations: ['repository.get', 'repository.pull'],
  errors: [absent('repository', 'repository `{repoid}` does not exist')],
  failed: 'Unable to pull changes from `{repo_name}`',
  async run(call, args) {
    const { path } = await call.invoke<RepositoryView>('repository.get', { repository: referenceOf('repository', args.repoid) })
    call.know({ repo_name: path })
    const { clone_uri } = args
    await call.invoke('repository.pull', { repository: `repository:${path}`, ...(clone_uri !== null && { clone_uri }) })
    return { msg: call.say('Pulled from `{repo_name}`'), repository: path }
  },
})

const rescanRepos = defineMethod({
  name: 'rescan_repos',
  args: { remove_obsolete: optional(flag, false) },
  caller: 'administrator',
  operations: ['repository.rescan'],
  errors: [],
  failed: 'Error occurred during rescan repositories action',
  run: (call, { remove_obsolete }) => call.invoke('repository.rescan', { remove_missing: remove_obsolete }),
})

const invalidateCache = defineMethod({
  name: 'invalidate_cache',
  args: { repoid: required(asIs) },
  caller: 'anybody',
  operations: ['repository.refresh'],
  errors: [absent('repository', 'repository `{repoid}` does not exist')],
  failed: 'Error occurred during cache invalidation action',
  async run(call, { repoid }) {
    const { path } = await call.invoke<RepositoryView>('repository.refresh', { repository: referenceOf('repository', repoid) })
    return { msg: call.say('Cache for repository `{repoid}` was invalidated'), repository: path }
  },
})

const getIp = defineMethod({
  name: 'get_ip',
  aliases: ['show_ip'],
  args: { userid: optional(asIs, null) },
  caller: 'administrator',
  operations: ['user.locate', 'user.get'],
  errors: [missing('user', 'user `{userid}` does not exist')],
  async run(call, { userid }) {
    const id = userid === null ? call.caller.principal.id : (await locateUser(call, userid)).id
    const { networks } = await call.invoke<{ networks: string[] }>('user.get', { user: id })
    const userIps = networks.map((network) => ({ ip_addr: network, ip_range: networkRange(network) }))
    return { server_ip_addr: call.caller.origin.peer, user_ips: userIps }
  },
})

type Component = { readonly name: string; readonly version: string }
type ServerView = { version: string; platform: string; libraries: Component[]; programs: (Component & { path: string })[] }

const getServerInfo = defineMethod({
  name: 'get_server_info',
  args: {},
  caller: 'administrator',
  operations: ['server.get'],
  errors: [],
  async run(call) {
    const server = await call.invoke<ServerView>('server.get', {})
    const git = server.programs.find(({ name }) => name === 'git')
    const modules = [{ name: 'capstan', version: server.version }, ...server.libraries, ...server.programs].map(({ name, version }) => [
      name,
      version,
    ])
    modules.sort(([a = ''], [b = '']) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
    const node = server.libraries.find(({ name }) => name === 'node')
    return {
      modules,
      // Clients only want it to say something (contract §15 D10).
      py_version: `node ${node?.version ?? ''}`,
      platform: server.platform,
      kallithea_version: ourVersion,
      git_version: git?.version ?? '',
      git_path: git?.path ?? null,
    }
  },
})

/** Contract §4. */
const serverMethods: readonly AnyMethod[] = [test, pull, rescanRepos, invalidateCache, getIp, getServerInfo]

export { serverMethods }
