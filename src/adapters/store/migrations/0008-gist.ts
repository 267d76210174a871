import { pair } from './migration.ts'

// Files stand in a table of their own: lists of gists never walk through them.
export const gists = pair(8, 'gist', ({ text, whole, document, end }) => [
  `create table gist (id ${text} primary key, revision ${whole} not null, expires_at ${whole}, description ${document} not null)${end}`,
  'create index gist_expires on gist (expires_at) where expires_at is not null',
  `create table gist_revision (
    gist_id ${text} not null, number ${whole} not null, created_at ${whole} not null, files ${document} not null,
    primary key (gist_id, number))${end}`,
])
