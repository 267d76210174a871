import type { SourceComment, SourceEnd, SourceGist, SourcePullRequest, SourceRepository, SourceRepositoryGroup } from '../../ports/import-source.ts'
import { flagOf, idOf, momentOf, numberOf, textOf, textOrNull, timeOf } from './fields.ts'
import { grantsOf } from './grants.ts'
import { part, time } from './tables.ts'
import type { Names } from './grants.ts'
import type { Raw } from './reader.ts'
import type { SourceTables } from './tables.ts'

async function* readRepositoryGroups(tables: SourceTables, names: Names): AsyncGenerator<SourceRepositoryGroup> {
  const columns = ['group_id', 'group_parent_id', 'user_id', part('group_name', 2000), part('group_description', 10_000), time('created_on')]
  for await (const page of tables.pages({ table: 'groups', key: 'group_id', columns })) {
    const grants = await grantsOf(
      tables,
      names,
      'group',
      page.map((raw) => idOf(raw, 'group_id')),
    )
    for (const raw of page) {
      const id = idOf(raw, 'group_id')
      yield {
        id,
        path: textOf(raw, 'group_name'),
        parent: numberOf(raw, 'group_parent_id'),
        description: textOf(raw, 'group_description'),
        owner: idOf(raw, 'user_id'),
        grants: grants(id),
        created_at: timeOf(raw, 'created_on'),
      }
    }
  }
}

const repositoryColumns = [
  ...['repo_id', 'user_id', 'private', 'statistics', 'downloads', 'fork_id', 'group_id', part('repo_name', 2000), part('repo_type', 20)],
  ...[part('clone_uri', 2000), part('description', 10_000), part('landing_revision', 400), time('created_on'), time('updated_on')],
]

async function* readRepositories(tables: SourceTables, names: Names): AsyncGenerator<SourceRepository> {
  for await (const page of tables.pages({ table: 'repositories', key: 'repo_id', columns: repositoryColumns })) {
    const ids = page.map((raw) => idOf(raw, 'repo_id'))
    const grants = await grantsOf(tables, names, 'repository', ids)
    const followers = await tables.related(
      'select follows_repository_id as of, user_id from user_followings',
      'follows_repository_id',
      ids,
      'user_following_id',
    )
    for (const raw of page) {
      const id = idOf(raw, 'repo_id')
      yield {
        id,
        path: textOf(raw, 'repo_name'),
        kind: textOf(raw, 'repo_type'),
        group: numberOf(raw, 'group_id'),
        owner: idOf(raw, 'user_id'),
        private: flagOf(raw, 'private'),
        statistics: flagOf(raw, 'statistics'),
        downloads: flagOf(raw, 'downloads'),
        description: textOf(raw, 'description'),
        landing_revision: textOf(raw, 'landing_revision'),
        clone_uri: textOf(raw, 'clone_uri') || null,
        fork_of: numberOf(raw, 'fork_id'),
        grants: grants(id),
        followers: (followers.get(id) ?? []).map((follower) => idOf(follower, 'user_id')),
        created_at: timeOf(raw, 'created_on'),
        updated_at: timeOf(raw, 'updated_on'),
      }
    }
  }
}

async function* readGists(tables: SourceTables): AsyncGenerator<SourceGist> {
  const columns = [
    ...['gist_id', 'user_id', 'gist_expires', part('gist_access_id', 250), part('gist_description', 10_000), part('gist_type', 20)],
    time('created_on'),
  ]
  for await (const page of tables.pages({ table: 'gists', key: 'gist_id', columns })) {
    for (const raw of page) {
      yield {
        id: idOf(raw, 'gist_id'),
        access_id: textOf(raw, 'gist_access_id'),
        public: textOf(raw, 'gist_type') === 'public',
        description: textOf(raw, 'gist_description'),
        owner: idOf(raw, 'user_id'),
        expires_at: momentOf(raw, 'gist_expires'),
        created_at: timeOf(raw, 'created_on'),
      }
    }
  }
}

const pullRequestColumns = [
  ...['pull_request_id', 'user_id', 'org_repo_id', 'other_repo_id', part('title', 255), part('description', 20_000), part('status', 20)],
  ...[part('org_ref', 400), part('other_ref', 400), time('created_on'), time('updated_on')],
]

async function* readPullRequests(tables: SourceTables): AsyncGenerator<SourcePullRequest> {
  for await (const page of tables.pages({ table: 'pull_requests', key: 'pull_request_id', columns: pullRequestColumns })) {
    const reviewers = await tables.related(
      'select pull_request_id as of, user_id from pull_request_reviewers',
      'pull_request_id',
      page.map((raw) => idOf(raw, 'pull_request_id')),
      'pull_requests_reviewers_id',
    )
    for (const raw of page) {
      const id = idOf(raw, 'pull_request_id')
      yield {
        id,
        title: textOf(raw, 'title'),
        description: textOf(raw, 'description'),
        closed: textOf(raw, 'status') === 'closed',
        author: idOf(raw, 'user_id'),
        source: endOf(idOf(raw, 'org_repo_id'), textOf(raw, 'org_ref')),
        target: endOf(idOf(raw, 'other_repo_id'), textOf(raw, 'other_ref')),
        reviewers: (reviewers.get(id) ?? []).map((reviewer) => idOf(reviewer, 'user_id')),
        created_at: timeOf(raw, 'created_on'),
        updated_at: timeOf(raw, 'updated_on'),
      }
    }
  }
}

// `branch:name:commit`; a name of Mercurial's cannot have a colon, nor can one of git's.
function endOf(repository: number, text: string): SourceEnd {
  const [type = '', name = '', commit = ''] = text.split(':')
  return { repository, type, name, commit }
}

/** Remarks and votes, behind one of them: on a pull request, or on the commits of a repository. */
async function* readComments(
  tables: SourceTables,
  on: { pullRequest: number } | { repository: number },
  after: number,
): AsyncGenerator<SourceComment> {
  const columns = ['comment_id', 'user_id', part('revision', 40), part('line_no', 10), part('f_path', 1000), part('text', 20_000), time('created_on')]
  const [where, value] =
    'pullRequest' in on
      ? ['pull_request_id = ?', on.pullRequest]
      : ['pull_request_id is null and revision is not null and repo_id = ?', on.repository]
  for await (const page of tables.pages({ table: 'changeset_comments', key: 'comment_id', columns, where, values: [value], after })) {
    const votes = await tables.related(
      `select changeset_comment_id as of, ${part('revision', 40)}, ${part('status', 20)} from changeset_statuses`,
      'changeset_comment_id',
      page.map((raw) => idOf(raw, 'comment_id')),
      'changeset_status_id',
    )
    for (const raw of page) yield commentOf(raw, votes.get(idOf(raw, 'comment_id')) ?? [])
  }
}

function commentOf(raw: Raw, votes: readonly Raw[]): SourceComment {
  const place = /^([no])(\d{1,9})$/.exec(textOf(raw, 'line_no'))
  const file = textOrNull(raw, 'f_path')
  return {
    id: idOf(raw, 'comment_id'),
    author: idOf(raw, 'user_id'),
    at: timeOf(raw, 'created_on'),
    text: textOf(raw, 'text'),
    commit: textOrNull(raw, 'revision'),
    file,
    line: file !== null && place ? Number(place[2]) : null,
    side: file !== null && place ? (place[1] === 'n' ? 'new' : 'old') : null,
    status: votes[0] ? textOf(votes[0], 'status') : null,
    voted: votes.map((vote) => textOf(vote, 'revision')).filter((commit) => /^[0-9a-f]{40}$/.test(commit)),
  }
}

export { readRepositoryGroups, readRepositories, readGists, readPullRequests, readComments }
