import { pageRequest } from '../kernel/page.ts'
import type { Services } from '../operation/services.ts'
import type { Tables } from '../../ports/store/tables.ts'

const settingKey = 'imported-passwords'
const pageSize = 1000

/** Notes that passwords were brought whose hashes are of another kind than ours. To be called in the transaction that brings one. */
async function noteImportedPasswords(tables: Pick<Tables, 'settings'>, at: number): Promise<void> {
  await tables.settings.setOnce(settingKey, { since: at })
}

/** Prepares the hasher, at start, for hashes that an import brought: until each of them has become one of ours at a sign-in, sign-ins take longer. */
async function expectImportedPasswords({ store, passwords }: Pick<Services, 'store' | 'passwords'>): Promise<void> {
  if ((await store.reader.settings.get(settingKey)) === null) return
  let cursor: string | null = null
  do {
    const page = await store.reader.users.page({}, pageRequest({ limit: pageSize, ...(cursor !== null && { cursor }) }))
    if (page.items.some(({ password_hash }) => password_hash !== null && passwords.outdated(password_hash))) return passwords.expectOutdated()
    cursor = page.next
  } while (cursor !== null)
  await store.write((tables) => tables.settings.remove(settingKey))
}

export { noteImportedPasswords, expectImportedPasswords }
