import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { join } from 'node:path'
import type { EngineCertificates } from './engine.ts'

/** The certificates of a folder, named as Docker's own programs name them; null for no folder. Throws in one line what is wrong with them. */
function certificatesIn(folder: string | null): EngineCertificates | null {
  if (folder === null) return null
  const read = (name: string): string => {
    try {
      return readFileSync(join(folder, name), 'utf8')
    } catch (error) {
      throw new Error(`docker.certificates: "${name}" cannot be read (${String((error as NodeJS.ErrnoException).code)})`) // what the file system throws
    }
  }
  const found = { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') }
  try {
    createSecureContext(found)
  } catch (error) {
    throw new Error('docker.certificates: "ca.pem", "cert.pem" and "key.pem" are not a certificate authority, a certificate and its key in PEM', {
      cause: error,
    })
  }
  return found
}

export { certificatesIn }
