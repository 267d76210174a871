import type { Migration } from '../migrations/migration.ts'

const both = (version: number, name: string, statements: string[]): Migration => ({ version, name, sqlite: statements, postgres: statements })

/** Two migrations to try the migrating with: the second changes rows of the first. */
export const exampleMigrations: readonly Migration[] = [
  both(1, 'first', ['create table thing (id text primary key, size bigint not null)', `insert into thing (id, size) values ('a', 1)`]),
  both(2, 'second', [
    'alter table thing add column colour text',
    `update thing set size = size * 2, colour = 'red'`,
    'create table other (id text primary key)',
  ]),
]
