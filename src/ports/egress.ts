/** What a call is for decides which addresses it may reach: private ranges are for clusters only, unless the operator allows them. */
export type EgressPurpose = 'git' | 'webhook' | 'plugin' | 'cluster' | 'mail'

/** The one guard of every outgoing address that a user can name. */
export type Egress = {
  /** The addresses of a host, all of them allowed for the purpose. Throws the fault `egress_refused`, also when the name resolves to nothing. */
  resolve(host: string, purpose: EgressPurpose): Promise<string[]>
  /** Whether an address may be called. */
  allows(address: string, purpose: EgressPurpose): boolean
}
