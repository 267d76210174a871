/** Slow, salted one-way hashes of passwords, computed off the main thread, at most two at once. */
type PasswordHasher = {
  hash(password: string): Promise<string>
  /**
   * Constant in time for a given hash; false for a hash that it does not understand. Without a hash (an unknown user, one without a password) it takes as
   * long as for a real one and gives false.
   */
  verify(password: string, hash: string | null): Promise<boolean>
  /** Whether a hash is of a kind that is only verified (bcrypt, from an import), so that a new one should be made when the password is at hand. */
  outdated(hash: string): boolean
  /** Says that there are such hashes: from then on a sign-in takes as long as one with such a hash, whoever it is, so that time tells nothing. */
  expectOutdated(): void
}

export type { PasswordHasher }
