import { repositoryPath } from '../hosting/path.ts'

/** The three addresses of git's smart protocol below a repository. */
const suffixes = ['info/refs', 'git-upload-pack', 'git-receive-pack'] as const
type Suffix = (typeof suffixes)[number]
type Service = 'upload-pack' | 'receive-pack'

/** An address of git: which of the three, and the repository's path as text; null when it cannot be the path of any. */
type Address = { readonly suffix: Suffix; readonly path: string | null; readonly query: string }

/** What a request's target means to git, or null when it is not an address of git at all. Percent signs are decoded once, here. */
function parseAddress(target: string): Address | null {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? '' : target.slice(mark + 1)
  const suffix = suffixes.find((candidate) => path.endsWith(`/${candidate}`))
  if (!suffix) return null
  return { suffix, path: repositoryPath(path.slice(0, -suffix.length - 1)), query }
}

/** The service that `GET info/refs` asks for: `service` must be the first parameter, and nothing but the name of one of the two. */
function serviceOf(query: string): Service | null {
  const first = query.split('&', 1)[0]
  if (first === 'service=git-upload-pack') return 'upload-pack'
  return first === 'service=git-receive-pack' ? 'receive-pack' : null
}

export type { Suffix, Service, Address }
export { parseAddress, serviceOf }
