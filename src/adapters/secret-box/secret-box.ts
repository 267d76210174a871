import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Secret } from '../../core/kernel/json.ts'
import { loadKey } from './key-file.ts'
import type { SecretBox } from '../../ports/secret-box.ts'

const version = 'v1'
const ivBytes = 12
const tagBytes = 16

/**
 * A secret box whose master key is `<folder>/master.key`, made at first start. Nothing is sealed with the master key itself: each purpose has a key
 * derived from it. A sealed text is `v1.` and base64url of nonce, tag and ciphertext (AES-256-GCM, the context as additional data).
 */
function createSecretBox(options: { folder: string }): SecretBox {
  const master = loadKey(join(options.folder, 'master.key'))
  const sealing = derive(master, 'seal')
  const printing = new Map<string, Buffer>()
  return {
    seal(value, context) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', sealing, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(context))
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
      return `${version}.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url')}`
    },
    open(sealed, context) {
      const [mark, text, ...rest] = sealed.split('.')
      const bytes = Buffer.from(text ?? '', 'base64url')
      if (mark !== version || rest.length > 0 || bytes.length < ivBytes + tagBytes) throw new Error('This is not a sealed text')
      const decipher = createDecipheriv('aes-256-gcm', sealing, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes))
      return new Secret(Buffer.concat([decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]).toString('utf8'))
    },
    fingerprint(value, purpose) {
      // Purposes are few and fixed in code, so this map does not grow.
      let key = printing.get(purpose)
      if (!key) printing.set(purpose, (key = derive(master, `fingerprint:${purpose}`)))
      return createHmac('sha256', key).update(value).digest('hex')
    },
  }
}

function derive(master: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, 'capstan', purpose, 32))
}

export { createSecretBox }
