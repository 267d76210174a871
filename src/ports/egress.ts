/** What a call is for decides which addresses it may reach: private ranges are for clusters only, unless the operator allows them. */
type EgressPurpose = 'git' | 'webhook' | 'plugin' | 'cluster' | 'mail'

/** The one guard of every outgoing address that a user can name. */
type Egress = {
  /** The addresses of a host, all of them allowed for the purpose. Throws the fault `egress_refused`, also when the name resolves to nothing. */
  resolve(host: string, purpose: EgressPurpose): Promise<string[]>
  /** Whether an address may be called. */
  allows(address: string, purpose: EgressPurpose): boolean
}

/** Where a child program may go: one host, and nowhere else, whatever it is told there. */
type EgressDestination = {
  readonly scheme: 'http' | 'https'
  readonly host: string
  readonly port: number
  readonly purpose: EgressPurpose
}

/** For a child program that may go wherever its purpose may: the plugins of workflows. */
type EgressAnywhere = { readonly host: '*'; readonly purpose: EgressPurpose }

/** How a child program reaches its destination: an HTTP proxy on loopback, and the secret that opens it for this child only. */
type EgressPass = {
  readonly host: string
  readonly port: number
  readonly user: string
  /** '' for one that was opened again by its mark: the child has it from an earlier server. */
  readonly password: string
  /** Stands for the password, and opens nothing by itself: what a later server opens the same pass again by. */
  readonly mark: string
  /** The first reason why the door was kept shut, for the log and for the caller's message; null when it was not. */
  refused(): string | null
  /** Ends the pass and every connection that it opened. */
  close(): void
}

/**
 * The door through which child programs (git, hg) reach out. They resolve names themselves and follow redirects, so the address is judged here, at the
 * moment of each connection, and the connection goes to the address that was judged.
 */
type EgressProxy = {
  /** A pass for one child. `limitBytes` is what may come in through it altogether. `mark`: one that an earlier server has given out. */
  open(destination: EgressDestination | EgressAnywhere, options: { limitBytes: number; mark?: string }): Promise<EgressPass>
  close(): Promise<void>
}

/** One request of ours to an address that a user named. */
type OutboundRequest = {
  readonly url: string
  readonly purpose: EgressPurpose
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** For the whole of it, from the name to the end of the answer. */
  readonly timeoutMs: number
  /** How much of the answer's body is kept; what comes after it is not waited for. */
  readonly keepBytes: number
  readonly signal: AbortSignal
}

type OutboundAnswer = { readonly status: number; readonly excerpt: string }

/** A request whose whole answer is wanted. `trusted`, in PEM, is believed to sign certificates besides those that everybody believes. */
type OutboundCall = Omit<OutboundRequest, 'body'> & {
  readonly method: string
  readonly body: string | Uint8Array | null
  readonly trusted?: string
}

type OutboundReply = {
  readonly status: number
  /** Names in lower case; of headers that came more than once all values, joined by commas. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
  /** False when there was more of the body than `keepBytes`. */
  readonly complete: boolean
}

/** It could not be delivered. The message is for whoever named the address, and says nothing about what else is reachable. */
class OutboundFailed extends Error {
  override readonly name = 'OutboundFailed'
}

/** Requests to addresses that users name, through the guard. Redirects are not followed: a 3xx is an answer like any other. */
type Outbound = {
  /** Errors: `OutboundFailed`, and the fault `egress_refused`. */
  post(request: OutboundRequest): Promise<OutboundAnswer>
  /** The same with any method. Headers that make up the message itself (length, host, connection) are not taken over. */
  call(request: OutboundCall): Promise<OutboundReply>
}

export type {
  EgressPurpose,
  Egress,
  EgressDestination,
  EgressAnywhere,
  EgressPass,
  EgressProxy,
  OutboundRequest,
  OutboundAnswer,
  OutboundCall,
  OutboundReply,
  Outbound,
}
export { OutboundFailed }
