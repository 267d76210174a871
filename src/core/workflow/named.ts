import { fault } from '../kernel/fault.ts'
import { DuplicateKey } from '../../ports/store/store.ts'

/** A name for something that workflows use: any printable text of 1 to 200 characters that is not only blanks. */
function printableName(what: string, name: string): string {
  const trimmed = name.trim()
  if (trimmed === '' || trimmed.length > 200 || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(trimmed)) {
    throw fault('invalid_name', { what, name: trimmed.slice(0, 60), why: 'it has 1 to 200 printable characters' })
  }
  return trimmed
}

/** What `work` gives; a name that is taken is said so. */
async function unlessNamed<Result>(kind: string, name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DuplicateKey) throw fault('name_taken', { kind, name }, { cause: error })
    throw error
  }
}

export { printableName, unlessNamed }
