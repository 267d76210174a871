import { createHash, createHmac } from 'node:crypto'
import { textMember } from '../../document/members.ts'
import { builtinPlugin, pure } from '../builtin.ts'
import { readBase64 } from '../base64/read.ts'
import { hashSpec } from './spec.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { BuiltinAction } from '../builtin.ts'

/** Digests. */
const hashPlugin = builtinPlugin('hash', hashSpec, {
  md5: digestBy('md5'),
  sha1: digestBy('sha1'),
  sha256: digestBy('sha256'),
  sha384: digestBy('sha384'),
  sha512: digestBy('sha512'),
  hmac: pure((input) => shown(createHmac(textMember(input, 'algorithm'), textMember(input, 'key')).update(bytesOf(input)).digest())),
})

function digestBy(algorithm: string): BuiltinAction {
  return pure((input) => shown(createHash(algorithm).update(bytesOf(input)).digest()))
}

function bytesOf(input: JsonObject): Buffer {
  const text = textMember(input, 'text')
  return textMember(input, 'encoding') === 'base64' ? readBase64(text) : Buffer.from(text)
}

function shown(digest: Buffer): JsonObject {
  return { hex: digest.toString('hex'), base64: digest.toString('base64') }
}

export { hashPlugin }
