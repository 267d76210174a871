import { MailFailed } from '../../../../ports/mailer.ts'
import { openConnection } from '../../connection/open.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { readBase64 } from '../base64/read.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { listInput } from '../input.ts'
import { mailSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Letter, MailServer } from '../../../../ports/mailer.ts'
import type { BuiltinContext } from '../builtin.ts'

const mostRecipients = 100

/** Mail. A letter that a restart cut off may be on its way, so it is not sent again. */
const mailPlugin = builtinPlugin('mail', mailSpec, {
  send: {
    repeatable: false,
    async run(context, input) {
      const { services, signal } = context
      const letter = letterOf(input)
      const server = await serverOf(context)
      try {
        const { id, accepted, refused } = await services.mailer.send(letter, { signal, ...(server ? { server } : {}) })
        return { message_id: id, accepted: [...accepted], refused: [...refused] }
      } catch (error) {
        if (error instanceof MailFailed) throw new ActionFailed(error.message)
        throw error
      }
    },
  },
})

function letterOf(input: JsonObject): Letter {
  const [to, cc, bcc] = ['to', 'cc', 'bcc'].map((name) => listInput(input, name).map((one) => oneLine(one, name))) as [string[], string[], string[]] // three names
  if (to.length + cc.length + bcc.length > mostRecipients) throw new ActionFailed(`A letter has at most ${mostRecipients} recipients`)
  if (to.length === 0) throw new ActionFailed('"to" names nobody')
  return {
    to,
    cc,
    bcc,
    from: oneLine(memberOf(input, 'from') ?? '', 'from'),
    replyTo: oneLine(memberOf(input, 'reply_to') ?? '', 'reply_to'),
    subject: oneLine(memberOf(input, 'subject') ?? '', 'subject'),
    text: textMember(input, 'text'),
    html: textMember(input, 'html'),
    attachments: listInput(input, 'attachments').map((attachment) => {
      if (!isJsonObject(attachment)) throw new ActionFailed('Each of "attachments" is an object with a file name')
      const base64 = textMember(attachment, 'base64')
      const content = base64 === '' ? Buffer.from(textMember(attachment, 'text')) : readBase64(base64)
      return { filename: oneLine(memberOf(attachment, 'filename') ?? '', 'filename'), content }
    }),
  }
}

/** A value of a header. Line ends in it could be headers of their own. */
function oneLine(value: Json, name: string): string {
  if (typeof value !== 'string' || value.length > 1000 || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value))
    throw new ActionFailed(`"${name}" is text of one line and at most 1000 characters`)
  return value
}

async function serverOf({ services, starter, connection }: BuiltinContext): Promise<MailServer | null> {
  if (connection === null) return null
  const opened = await openConnection(services, starter, connection, { vendor: 'capstan', name: 'mail' })
  if ('problem' in opened) throw new ActionFailed(opened.problem)
  const { parameters } = opened
  const credentials = objectMember(parameters, 'credentials')
  const security = textMember(parameters, 'security')
  return {
    host: textMember(parameters, 'host'),
    port: Number(memberOf(parameters, 'port') ?? 587) || 587,
    security: security === 'tls' || security === 'none' ? security : 'starttls',
    user: textMember(credentials, 'username'),
    password: textMember(credentials, 'password'),
    from: textMember(parameters, 'from'),
  }
}

export { mailPlugin }
