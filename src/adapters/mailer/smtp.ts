import { isFault } from '../../core/kernel/fault.ts'
import { MailFailed } from '../../ports/mailer.ts'
import type { Transporter } from 'nodemailer'
import type { Options as SmtpOptions, SentMessageInfo } from 'nodemailer/lib/smtp-transport'
import type { Egress } from '../../ports/egress.ts'
import type { Letter, MailReceipt, MailServer, Mailer } from '../../ports/mailer.ts'

type MailerOptions = {
  /** `smtp://user:password@host:port` or `smtps://…`; null: there is none. */
  readonly url: string | null
  /** The sender of letters that name none. */
  readonly from: string
  readonly egress: Egress
}

const timeouts = { connectionTimeout: 15_000, greetingTimeout: 15_000, socketTimeout: 60_000 }

/** Mail over SMTP. The library is loaded with the first letter. */
function createMailer({ url, from, egress }: MailerOptions): Mailer {
  return {
    configured: url !== null,
    async send(letter, { server, signal }) {
      if (url === null && !server)
        throw new MailFailed('No mail server is configured; an operator sets CAPSTAN_SMTP_URL, or the step names a connection')
      const transport = server ? await guarded(server, egress) : fromUrl(url ?? '')
      return deliver(letter, letter.from || server?.from || from, transport, signal)
    },
    async check(server, { signal }) {
      await talking(await guarded(server, egress), signal, (mailer) => mailer.verify())
    },
  }
}

async function deliver(letter: Letter, from: string, transport: SmtpOptions, signal: AbortSignal): Promise<MailReceipt> {
  const { to, cc, bcc, replyTo, subject, text, html, attachments } = letter
  const message = {
    ...{ from, to: [...to], cc: [...cc], bcc: [...bcc], subject, text },
    ...(replyTo === '' ? {} : { replyTo }),
    ...(html === '' ? {} : { html }),
    attachments: attachments.map(({ filename, content }) => ({ filename, content: Buffer.from(content) })),
  }
  return receiptOf(await talking(transport, signal, (mailer) => mailer.sendMail(message)))
}

async function talking<T>(settings: SmtpOptions, signal: AbortSignal, talk: (mailer: Transporter<SentMessageInfo>) => Promise<T>): Promise<T> {
  const { createTransport } = await import('nodemailer')
  // What a letter says is content: never a file of this machine, never an address to be fetched.
  const mailer = createTransport({ ...settings, ...timeouts, disableFileAccess: true, disableUrlAccess: true })
  try {
    return await within(signal, talk(mailer))
  } catch (error) {
    if (signal.aborted || isFault(error)) throw error
    throw new MailFailed(said(error), { cause: error })
  } finally {
    mailer.close()
  }
}

/** The settings of the operator's server. They name it themselves, so it may well be on this machine. */
function fromUrl(text: string): SmtpOptions {
  const url = new URL(text)
  const secure = url.protocol === 'smtps:'
  const user = decodeURIComponent(url.username)
  const local = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 465 : 587)),
    secure,
    // A password goes over no wire in the open.
    requireTLS: !secure && user !== '' && !local,
    ...(user === '' ? {} : { auth: { user, pass: decodeURIComponent(url.password) } }),
  }
}

async function guarded(server: MailServer, egress: Egress): Promise<SmtpOptions> {
  const [address] = await egress.resolve(server.host, 'mail')
  const { security, user, password: pass, port } = server
  return {
    // The address that was judged; the name is asked for once only, and is what the certificate has to have.
    host: address ?? '',
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { servername: server.host },
    ...(user === '' ? {} : { auth: { user, pass } }),
  }
}

function receiptOf({ messageId, accepted, rejected }: SentMessageInfo): MailReceipt {
  return { id: messageId, accepted: accepted.map(String), refused: (rejected ?? []).map(String) }
}

const words: Readonly<Record<string, string>> = {
  EAUTH: 'The mail server does not take the user name and password',
  ECONNECTION: 'The mail server cannot be reached',
  ECONNREFUSED: 'The mail server cannot be reached',
  ESOCKET: 'The connection to the mail server was cut or is not trusted',
  ETIMEDOUT: 'The mail server does not answer',
  EDNS: 'There is no mail server of that name',
  ETLS: 'The mail server does not offer encryption',
  EENVELOPE: 'The mail server refuses the sender or all recipients',
  EMESSAGE: 'The mail server refuses the letter',
}

function said(error: unknown): string {
  if (!(error instanceof Error)) return 'The letter could not be sent'
  // The library has one code for everything that happens to a socket.
  const code = /\bECONNREFUSED\b/.exec(error.message)?.[0] ?? ('code' in error ? String(error.code) : '')
  const what = (Object.hasOwn(words, code) ? words[code] : undefined) ?? `The letter could not be sent${code === '' ? '' : ` (${code})`}`
  // What a server answers to a sign-in may repeat it.
  const response = code !== 'EAUTH' && 'response' in error && typeof error.response === 'string' ? error.response.slice(0, 300) : ''
  return response === '' ? what : `${what}: ${response}`
}

function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

export { createMailer }
