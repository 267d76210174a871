import { MailFailed } from '../../../../ports/mailer.ts'
import { openConnection } from '../../connection/open.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../document/members.ts'
import { readBase64 } from '../base64/read.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { listInput } from '../input.ts'
import { mailSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { Letter, MailServer } from '../../../../ports/mailer.ts'
import type { BuiltinAction, BuiltinContext, BuiltinPlugin } from '../builtin.ts'

const mostRecipients = 100

const actions: Readonly<Record<string, BuiltinAction>> = {
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
}

/** Mail. A letter that a restart cut off may be on its way, so it is not sent again. */
const mailPlugin: BuiltinPlugin = {
  ...builtinPlugin('mail', mailSpec, actions),
  async test({ services, signal }, parameters) {
    const server = serverFrom(parameters)
    try {
      await services.mailer.check(server, { signal })
    } catch (error) {
      if (error instanceof MailFailed) throw new ActionFailed(error.message)
      throw error
    }
    return server.user === '' ? 'The mail server answers.' : 'The mail server answers and takes the user name and password.'
  },
}

function letterOf(input: JsonObject): Letter {
  const [to, cc, bcc] = ['to', 'cc', 'bcc'].map((name) => listInput(input, name).map((one) => address(one, name))) as [string[], string[], string[]] // three names
  if (to.length + cc.length + bcc.length > mostRecipients) throw new ActionFailed(`A letter has at most ${mostRecipients} recipients`)
  if (to.length === 0) throw new ActionFailed('"to" names nobody')
  return {
    to,
    cc,
    bcc,
    from: addressOrNone(input, 'from'),
    replyTo: addressOrNone(input, 'reply_to'),
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

/** One address, with or without the name before it. A comma or a group would be several, more than are counted. */
function address(value: Json, name: string): string {
  const text = oneLine(value, name).trim()
  const bare = text.replace(/^(?:"(?:[^"\\]|\\.)*"|[^"<>,;:@]*)\s*<([^<>]*)>$/, '$1')
  if (!/^(?:"(?:[^"\\]|\\.)*"|[^\s"<>()[\],;:@\\]+)@[^\s"<>()[\],;:@\\]+$/.test(bare))
    throw new ActionFailed(`"${text.slice(0, 100)}" of "${name}" is not one address; write for example ann@example.com or Ann <ann@example.com>`)
  return text
}

function addressOrNone(input: JsonObject, name: string): string {
  return textMember(input, name) === '' ? '' : address(memberOf(input, name) ?? '', name)
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
  return serverFrom(opened.parameters)
}

function serverFrom(parameters: JsonObject): MailServer {
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
