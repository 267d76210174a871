import { ActionFailed } from '../builtin.ts'

/** The bytes of Base64 in either alphabet; anything that is not quite Base64 is refused. */
function readBase64(data: string): Buffer {
  const text = data.replace(/[\r\n\t ]+/g, '').replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/_-]*$/.test(text) || text.length % 4 === 1) throw new ActionFailed('The data is not Base64')
  return Buffer.from(text, 'base64')
}

export { readBase64 }
