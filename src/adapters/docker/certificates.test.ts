import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { certificatesIn } from './certificates.ts'

test('certificates that are not there, or are none, are told of in one line that names the setting', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-certificates-'))
  try {
    expect(certificatesIn(null)).toBeNull()
    expect(() => certificatesIn(join(folder, 'nowhere'))).toThrow(/^docker\.certificates: "ca\.pem" cannot be read \(ENOENT\)$/)
    for (const name of ['ca.pem', 'cert.pem']) writeFileSync(join(folder, name), 'no certificate')
    expect(() => certificatesIn(folder)).toThrow('"key.pem" cannot be read')
    writeFileSync(join(folder, 'key.pem'), 'no key')
    expect(() => certificatesIn(folder)).toThrow(/^docker\.certificates: .+ in PEM$/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
