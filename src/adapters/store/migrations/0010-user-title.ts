import { pair } from './migration.ts'

// What a user is in the company, for clients that show it.
export const userTitles = pair(10, 'user-title', ({ text }) => [`alter table user_account add column company_title ${text} not null default ''`])
