import { pair } from './migration.ts'

// Which commits a vote counts for, by commit: those of a pull request are many, and each is asked for by itself.
export const commitComments = pair(9, 'commit-comment', ({ text, whole, end }) => [
  `alter table comment add column file ${text}`,
  `alter table comment add column line ${whole}`,
  `alter table comment add column side ${text}`,
  `create table commit_vote (
    comment_id ${text} not null, place ${whole} not null, repository_id ${text} not null, commit_id ${text} not null,
    primary key (comment_id, commit_id))${end}`,
  'create index commit_vote_commit on commit_vote (repository_id, commit_id)',
])
