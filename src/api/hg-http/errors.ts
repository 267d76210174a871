import type { Refusal } from '../hosting/errors.ts'

/** What only requests of Mercurial refuse. */
const hgRefusals = {
  noCommand: { status: 400, text: 'It cannot be told what is asked: one cmd, with its arguments in X-HgArg headers.' },
  noLength: { status: 411, text: 'The body needs a Content-Length.', headers: { connection: 'close' } },
  tooLarge: { status: 413, text: 'That is more than one push may have.', headers: { connection: 'close' } },
  wrongType: { status: 415, text: 'The body must be of the type application/mercurial-0.1.' },
} as const satisfies Record<string, Refusal>

export { hgRefusals }
