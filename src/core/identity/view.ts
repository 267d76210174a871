import { timestamp } from '../kernel/clock.ts'
import { Closed, Nullable, OneOf, Time, Type } from '../kernel/schema.ts'
import type { Static } from '../kernel/schema.ts'
import type { UserRow } from '../../ports/store/rows.ts'

const summaryMembers = {
  id: Type.String(),
  serial: Type.Integer({ description: 'Small number for APIs that want one; 1 is the built-in user `default`.' }),
  name: Type.String(),
  email: Nullable(Type.String()),
  first_name: Type.String(),
  last_name: Type.String(),
  company_title: Type.String({ description: 'What the user is in the company; empty when it was not said.' }),
  kind: OneOf(['user', 'service', 'builtin']),
  administrator: Type.Boolean(),
  active: Type.Boolean(),
}

/** What members of a group see of each other. */
const UserSummary = Closed(summaryMembers)

/** A user, without anything secret. */
const User = Closed({
  ...summaryMembers,
  pending: Type.Boolean({ description: 'Signed up, waits for approval.' }),
  organisation: Type.String({ description: 'The group of repositories that short repository names are looked up in; empty for the top level.' }),
  networks: Type.Array(Type.String(), { description: 'The networks (CIDR) that the user may come from; empty: from anywhere.' }),
  created_at: Time,
  updated_at: Time,
  last_sign_in_at: Nullable(Time),
})

function userSummary(row: UserRow): Static<typeof UserSummary> {
  const { id, serial, name, email, first_name, last_name, company_title, kind, administrator, active } = row
  return { id, serial, name, email, first_name, last_name, company_title, kind, administrator, active }
}

function userView(row: UserRow): Static<typeof User> {
  return {
    ...userSummary(row),
    pending: row.pending,
    organisation: row.organisation,
    networks: row.networks,
    created_at: timestamp(row.created_at),
    updated_at: timestamp(row.updated_at),
    last_sign_in_at: timestamp(row.last_sign_in_at),
  }
}

export { UserSummary, User, userSummary, userView }
