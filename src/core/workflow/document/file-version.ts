import { unreadable } from './members.ts'
import type { Json } from '../../kernel/json.ts'

/**
 * Refuses a `.kom` file of another version than 0.4, and gives what its reader should know. A file that names none is read as 0.4: files that people write
 * themselves often do.
 */
function checkKomVersion(version: Json | undefined): string[] {
  if (version === undefined || version === null) return ['the file names no "komand_version"; it was read as 0.4']
  if (typeof version === 'string' && /^0\.40*(?:\.\d+)*$/.test(version)) return []
  throw unreadable(`"komand_version" is ${shown(version)}; files of version 0.4 can be read`)
}

/** The same for `.icon`, version 2.0.0. A later 2 may hold more, which is kept. */
function checkIconVersion(version: Json | undefined): string[] {
  if (version === undefined || version === null) return ['the file names no "komFileVersion"; it was read as 2.0.0']
  if (typeof version !== 'string' || !/^2(?:\.\d+)*$/.test(version))
    throw unreadable(`"komFileVersion" is ${shown(version)}; files of version 2.0.0 can be read`)
  return /^2(?:\.0)*$/.test(version) ? [] : [`"komFileVersion" is ${version}; it was read as 2.0.0, and what is new in it is only kept`]
}

function shown(version: Json): string {
  return JSON.stringify(version).slice(0, 60)
}

export { checkKomVersion, checkIconVersion }
