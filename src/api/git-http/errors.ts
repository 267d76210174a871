import type { Refusal } from '../hosting/errors.ts'

/** What only addresses of git refuse. */
const gitRefusals = {
  noService: { status: 400, text: 'Only the smart protocol is served: ask with ?service=git-upload-pack or git-receive-pack.' },
  readOnlyAddress: { status: 405, text: 'This address takes GET only.', headers: { allow: 'GET' } },
  postOnlyAddress: { status: 405, text: 'This address takes POST only.', headers: { allow: 'POST' } },
} as const satisfies Record<string, Refusal>

export { gitRefusals }
