import { pair } from './migration.ts'

// Who may see a pull request is decided by its repositories, so it is no resource with grants of its own.
export const pullRequests = pair(2, 'pull-request', ({ text, whole, document, end }) => [
  `create table pull_request (
    id ${text} primary key, serial ${whole} not null, target_id ${text} not null, target_branch ${text} not null, source_id ${text} not null,
    source_branch ${text} not null, author_id ${text} not null, author ${text} not null, state ${text} not null, head ${text} not null, base ${text},
    title ${text} not null, version ${whole} not null, created_at ${whole} not null, updated_at ${whole} not null, closed_at ${whole},
    reviewers ${document} not null, merge ${document}, description ${document} not null)${end}`,
  'create unique index pull_request_serial on pull_request (serial)',
  `create unique index pull_request_source_branch on pull_request (target_id, target_branch, source_id, source_branch) where state = 'open'`,
  'create index pull_request_target on pull_request (target_id, serial)',
  'create index pull_request_source on pull_request (source_id, serial)',

  `create table comment (
    id ${text} primary key, serial ${whole} not null, subject_id ${text} not null, author_id ${text} not null, author ${text} not null,
    at ${whole} not null, status ${text}, head ${text}, text ${document} not null)${end}`,
  'create unique index comment_serial on comment (serial)',
  'create index comment_subject on comment (subject_id, serial)',
  'create index comment_vote on comment (subject_id, author_id, serial) where status is not null',
])
