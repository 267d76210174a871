import type { FaultCode } from '../../core/kernel/fault.ts'

const nothing = 'Nothing to do.'

/** What each kind of reader does about a fault. A new code of the table does not compile until it has its line here. */
export const advice: Readonly<Record<FaultCode, { readonly user: string; readonly operator: string }>> = {
  invalid_input: {
    user: 'Correct the members that `details.problems` names; docs/operations.md has the input of each operation.',
    operator: nothing,
  },
  invalid_name: {
    user: 'Choose another name. Names that look like ids, or that an address uses already, are refused everywhere.',
    operator: nothing,
  },
  invalid_reference: { user: 'Write `kind:name` or `kind:id`, of a kind that is wanted there.', operator: nothing },
  malformed_request: {
    user: 'Send valid HTTP with a valid JSON body; look at what a proxy or library makes of it.',
    operator: 'If many come, look which client or proxy sends them.',
  },
  unauthenticated: { user: 'Sign in, or send an API key.', operator: nothing },
  invalid_credential: {
    user: 'Sign in again, or make a new API key. The answer does not say whether the name or the password is wrong.',
    operator: 'Many of them from one address are an attempt to guess: the audit trail lists them as refused.',
  },
  forbidden: {
    user: 'Ask the owner of the thing, or an administrator, for the level that the message names.',
    operator: 'Give it with `capstan grant set`, if it is right that they have it.',
  },
  account_inactive: { user: 'Ask an administrator.', operator: 'Enable or approve the account with `capstan user enable`.' },
  network_refused: { user: 'Come from an allowed network.', operator: 'See `networks` of the user; behind a proxy, set `CAPSTAN_TRUSTED_PROXIES`.' },
  cross_site: {
    user: 'Open Capstan itself. Programs send a token in `Authorization` instead of the cookie.',
    operator: 'If the other site is yours, list its origin in `CAPSTAN_ALLOWED_ORIGINS`; behind a proxy, set `CAPSTAN_PUBLIC_URL`.',
  },
  registration_closed: {
    user: 'Ask an administrator for an account.',
    operator: 'Make it with `capstan user create`, or change `CAPSTAN_REGISTRATION`.',
  },
  egress_refused: {
    user: 'Name a public address, or ask an operator.',
    operator: 'Add the network to `CAPSTAN_EGRESS_ALLOW` if users may reach it from here.',
  },
  remote_unavailable: {
    user: 'Look whether the address opens with git or hg from your own machine, and whether its name and password are still good.',
    operator: 'The log line `remote.failed` has what the program said. Redirects to another host are not followed.',
  },
  not_found: {
    user: 'Check the spelling. What you may not see is answered just like what does not exist.',
    operator: 'If they should see it, give them `read` on it.',
  },
  operation_not_found: { user: 'See docs/operations.md for the names.', operator: 'The client may be newer than this server.' },
  route_not_found: {
    user: 'Check the address.',
    operator: 'Check what a proxy does to paths; percent signs and double slashes must stay as they are.',
  },
  method_not_allowed: { user: 'Use a method that `Allow` names.', operator: nothing },
  name_taken: { user: 'Use the existing thing, or another name. It may be one that you cannot see.', operator: nothing },
  type_conflict: { user: 'Delete the existing one first, or choose another name.', operator: nothing },
  state_conflict: { user: 'Do what the message says next, then repeat.', operator: nothing },
  in_use: { user: 'Remove what uses it first.', operator: nothing },
  payload_too_large: { user: 'Send less at once.', operator: 'Raise `CAPSTAN_LIMITS_BODY_BYTES`, and the limit of a proxy.' },
  uri_too_long: { user: 'Move parameters into the body, or shorten names.', operator: nothing },
  unsupported_media_type: { user: 'Send the content type that the message names.', operator: nothing },
  content_invalid: { user: 'Correct the document at the places that `details.problems` names.', operator: nothing },
  source_required: { user: 'Name the repository and the directory that the image is built from.', operator: nothing },
  dockerfile_not_found: { user: 'Commit `code/Dockerfile`, or name an image that exists.', operator: nothing },
  idempotency_key_reuse: { user: 'Make a new key for every request; repeat a key only with the same request.', operator: nothing },
  rate_limited: {
    user: 'Wait as long as `Retry-After` says.',
    operator: 'If good clients meet it behind a proxy, set `CAPSTAN_TRUSTED_PROXIES` so that each has its own address.',
  },
  quota_exceeded: { user: 'Wait until some have ended, or cancel some.', operator: 'Raise the limits under `[limits]`.' },
  unsupported: {
    user: 'Use what the message names instead, if it names something.',
    operator: 'Some features need a program or a runtime that this server does not have.',
  },
  git_unavailable: { user: 'Try again in a minute.', operator: 'Look in the log for the repository: its storage may be damaged, or the disk gone.' },
  overloaded: { user: 'Wait as long as `Retry-After` says.', operator: 'See /metrics; if it stays, the machine is too small or a client too eager.' },
  store_unavailable: {
    user: 'Try again; nothing was changed.',
    operator: 'Look at free space in the data folder, or at the database. /readyz turns good by itself.',
  },
  runtime_unavailable: {
    user: 'Try again later, or name another runtime.',
    operator: 'See the reason in the log; /readyz shows which runtime it is.',
  },
  shutting_down: { user: 'Try again in a few seconds.', operator: 'It is being stopped or restarted.' },
  git_timeout: { user: 'Try again, or read less at once.', operator: 'Raise `CAPSTAN_DEPLOY_API_GIT_TIMEOUT_MS` for very large repositories.' },
  deadline_exceeded: { user: 'Look whether it was done; if not, try again.', operator: 'Look in the log for what was slow.' },
  internal: { user: 'Tell an operator the `X-Request-Id`.', operator: 'Search the log for that id: it is a defect, and its stack is there.' },
}
