/** Slow, salted one-way hashes of passwords, computed off the main thread, at most two at once. */
type PasswordHasher = {
  hash(password: string): Promise<string>
  /**
   * Constant in time for a given hash; false for a hash that it does not understand. Without a hash (an unknown user, one without a password) it takes as
   * long as for a real one and gives false.
   */
  verify(password: string, hash: string | null): Promise<boolean>
}

export type { PasswordHasher }
