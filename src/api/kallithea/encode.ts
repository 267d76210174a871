import type { RepositoryView } from '../../core/repository/view.ts'

/** What every view of a user has. */
type UserView = {
  readonly serial: number
  readonly name: string
  readonly first_name: string
  readonly last_name: string
  readonly email: string | null
  readonly active: boolean
  readonly administrator: boolean
}

/** A user (contract §3.1). There is one address each here. */
function encodeUser(it: UserView) {
  return {
    user_id: it.serial,
    username: it.name,
    firstname: it.first_name,
    lastname: it.last_name,
    email: it.email,
    emails: [it.email],
    active: it.active,
    admin: it.administrator,
  }
}

/** A moment as the contract writes it (§2.4): without a zone, and without a fraction where that is zero. Ours are UTC. */
function encodeMoment(at: string): string {
  return at.replace(/(?:\.000)?Z$/, '')
}

/** A moment in whole seconds, as pull requests and comments have it (contract §2.4). */
function encodeSecond(at: string): string {
  return at.replace(/(?:\.\d+)?Z$/, '')
}

const emptyChangeset = {
  short_id: '0'.repeat(12),
  raw_id: '0'.repeat(40),
  revision: -1,
  message: '',
  date: '1970-01-01T00:00:00',
  author: '',
}

// Views of long lists are the same objects each time, frozen, as long as nothing of them changes.
const encoded = new WeakMap<RepositoryView, ReturnType<typeof encodedRepository>>()

/** A repository (contract §3.4). */
function encodeRepository(it: RepositoryView) {
  const known = encoded.get(it) ?? encodedRepository(it)
  if (Object.isFrozen(it)) encoded.set(it, known)
  return known
}

function encodedRepository(it: RepositoryView) {
  return {
    repo_id: it.serial,
    repo_name: it.path,
    repo_type: it.kind,
    clone_uri: it.clone_uri,
    private: it.private,
    created_on: encodeMoment(it.created_at),
    description: it.description,
    landing_rev: landingRevision(it.landing_revision),
    owner: it.owner,
    fork_of: it.fork_of,
    enable_statistics: it.statistics,
    enable_downloads: it.downloads,
    last_changeset: lastChangeset(it.last_commit),
  }
}

function lastChangeset(commit: RepositoryView['last_commit']) {
  if (commit === null) return emptyChangeset
  const { id, message, author_name, author_email, at } = commit
  const revision = 'revision' in commit && typeof commit.revision === 'number' ? commit.revision : 0
  return { short_id: id.slice(0, 12), raw_id: id, revision, message, date: encodeMoment(at), author: encodeAuthor(author_name, author_email) }
}

/** An author as one text (contract §3.3). */
function encodeAuthor(name: string, email: string): string {
  if (email === '') return name
  return name === '' ? `<${email}>` : `${name} <${email}>`
}

function landingRevision(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon < 0 ? ['rev', text] : [text.slice(0, colon), text.slice(colon + 1)]
}

export type { UserView }
export { encodeUser, encodeMoment, encodeSecond, encodeRepository, encodeAuthor }
