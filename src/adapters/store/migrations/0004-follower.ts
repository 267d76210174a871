import { pair } from './migration.ts'

export const followers = pair(4, 'follower', ({ text, whole, end }) => [
  `create table follower (
    resource_id ${text} not null, user_id ${text} not null, created_at ${whole} not null, primary key (resource_id, user_id))${end}`,
  'create index follower_user on follower (user_id)',
])
