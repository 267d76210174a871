import { flagMember, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin, pure } from '../builtin.ts'
import { readBase64 } from './read.ts'
import { base64Spec } from './spec.ts'

/** Base64. */
const base64Plugin = builtinPlugin('base64', base64Spec, {
  encode: pure((input) => ({ data: Buffer.from(textMember(input, 'text')).toString(flagMember(input, 'url_safe') ? 'base64url' : 'base64') })),
  decode: pure((input) => {
    const bytes = readBase64(textMember(input, 'data'))
    return { text: textIn(bytes, textMember(input, 'invalid_text') === 'fail'), size: bytes.length }
  }),
})

function textIn(bytes: Buffer, fatal: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ActionFailed('The data is no UTF-8 text')
  }
}

export { base64Plugin }
