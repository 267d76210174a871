/** The loopback network of this machine, where services listen. */
export type Loopback = {
  /** A port that nothing listens on just now and that is none of `taken`. Rejects when there is none. */
  freePort(taken: ReadonlySet<number>): Promise<number>
  /** Whether something takes a connection there, within a second. */
  answers(port: number): Promise<boolean>
}
