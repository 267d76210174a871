/** What a client sent to prove who it is, in the forms that APIs take it out of requests. One function, `identify`, turns each into a principal. */
export type Credential =
  | { readonly form: 'none' }
  /** A session token (JWT) from a cookie. */
  | { readonly form: 'cookie'; readonly token: string }
  /** A session token or an API key's secret in any spelling. */
  | { readonly form: 'bearer'; readonly token: string }
  /** What the gateway's own cookie holds: a session that was handed over to it. */
  | { readonly form: 'gateway'; readonly token: string }
  /** A name or e-mail address with a password, or with an API key's secret in its place. */
  | { readonly form: 'password'; readonly login: string; readonly password: string }
  /** An API key's secret in any spelling; `key` (the public part) must belong to it where it is given. */
  | { readonly form: 'api-key'; readonly secret: string; readonly key: string | null }
  /** A claim that counts only from trusted peers (Deploy API §3.3). `tcpPeer` is the address of the connection itself, whatever headers say. */
  | { readonly form: 'header'; readonly identity: string; readonly tcpPeer: string }
  /** A claim signed with a signing key of the account (Deploy API §3.3.4). */
  | {
      readonly form: 'signature'
      readonly identity: string
      readonly at: number
      readonly signature: string
      readonly method: string
      readonly target: string
      readonly bodyHash: string
    }
