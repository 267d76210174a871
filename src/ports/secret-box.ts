import type { Secret } from '../core/kernel/json.ts'

/** Seals what must be stored but never read back by a caller. The key is made at first start and stays in the data folder, mode 0600. */
export type SecretBox = {
  /** Text that only this installation can open. `context` (such as `secret:<id>`) is bound to it: a sealed text moved to another row does not open. */
  seal(value: string, context: string): string
  /** Throws when it was sealed elsewhere, for another context, or changed. */
  open(sealed: string, context: string): Secret
  /** Keyed SHA-256 for things that are compared and never read (hex). */
  fingerprint(value: string, purpose: string): string
}
