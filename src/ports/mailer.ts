/** A letter in plain text, with HTML beside it where there is some. */
type Letter = {
  /** Addresses, each `ann@lab.test` or `Ann <ann@lab.test>`. */
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly bcc: readonly string[]
  /** '': that of the server's settings. */
  readonly from: string
  readonly replyTo: string
  readonly subject: string
  readonly text: string
  /** '': none. */
  readonly html: string
  readonly attachments: readonly { readonly filename: string; readonly content: Uint8Array }[]
}

/** A mail server that a user named: it is reached through the guard of outgoing addresses. */
type MailServer = {
  readonly host: string
  readonly port: number
  /** `tls`: from the first byte; `starttls`: before anything that matters, or not at all; `none`: never. */
  readonly security: 'tls' | 'starttls' | 'none'
  /** '': without signing in. */
  readonly user: string
  readonly password: string
  readonly from: string
}

/** What the mail server said: who it took the letter for. */
type MailReceipt = { readonly id: string; readonly accepted: readonly string[]; readonly refused: readonly string[] }

/** The letter could not be sent. The message is for whoever wrote it, and has no password in it. */
class MailFailed extends Error {
  override readonly name = 'MailFailed'
}

/** Sends mail. */
type Mailer = {
  /** Whether the operator has named a mail server, so that letters can be sent without one of their own. */
  readonly configured: boolean
  /** Hands a letter to a mail server, the operator's unless one is given. Errors: `MailFailed`, and the fault `egress_refused` for a server that was given. */
  send(letter: Letter, options: { readonly server?: MailServer; readonly signal: AbortSignal }): Promise<MailReceipt>
  /** Greets a mail server, signs in where it says how, and sends nothing. Errors: those of `send`. */
  check(server: MailServer, options: { readonly signal: AbortSignal }): Promise<void>
}

export type { Letter, MailServer, MailReceipt, Mailer }
export { MailFailed }
