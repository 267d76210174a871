import { pageRequest } from '../kernel/page.ts'
import type { UserRow } from '../../ports/store/rows.ts'
import type { Tables } from '../../ports/store/tables.ts'

/** The active administrator who was here first, by serial; null while there is none. */
async function firstAdministrator(db: Tables): Promise<UserRow | null> {
  let first: UserRow | null = null
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await db.users.page({ kinds: ['user'] }, pageRequest({ limit: 1000, ...(cursor !== undefined && { cursor }) }))
    for (const user of items) if (user.administrator && user.active && (first === null || user.serial < first.serial)) first = user
    if (next === null) return first
    cursor = next
  }
}

export { firstAdministrator }
