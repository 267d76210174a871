import { allWorkloads, workloadKey, workloadOf } from './workload.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Tables } from '../../ports/store/tables.ts'
import type { Published } from './manifest.ts'

/** What is wrong with how a service of this name wants to be published: its group is unknown, or its prefix meets that of another service (Deploy API §6.3). */
async function publishedProblems(tables: Tables, published: Published, service: { namespace: string; name: string }): Promise<Problem[]> {
  const problems: Problem[] = []
  const say = (path: string, code: string, message: string) => problems.push({ path, code, message, severity: 'error' })
  if (published.access !== null && !(await tables.resources.byName('group', published.access))) {
    say('/published/access', 'unknown_group', `there is no group "${published.access}"`)
  }
  const { prefix } = published
  if (prefix.startsWith(ownPrefix) || prefix.split('/').some((part) => part === '.' || part === '..')) {
    say('/published/prefix', 'reserved', `"${prefix}" cannot be published`)
  }
  const key = workloadKey(service.namespace, service.name)
  for (const row of await allWorkloads(tables)) {
    const other = workloadOf(row).published?.prefix
    // Whose service it is stays untold: it may be in a namespace that the caller may not see.
    if (other !== undefined && row.name !== key && (prefix.startsWith(other) || other.startsWith(prefix))) {
      say('/published/prefix', 'taken', `"${prefix}" meets the prefix of another service`)
      break
    }
  }
  return problems
}

/** Addresses of the gateway itself. */
const ownPrefix = '/.capstan/'

export { ownPrefix, publishedProblems }
