/** A program of the machine that work here relies on. */
type Program = { readonly name: string; readonly version: string; readonly path: string }

/** Which programs and libraries this server runs with: for its operators. */
type Programs = {
  /** Those of the machine that were found. Looked at once, when first asked. */
  found(): Promise<readonly Program[]>
  /** Of the libraries that are part of this program, and of what runs it. */
  readonly libraries: readonly { readonly name: string; readonly version: string }[]
  readonly platform: string
}

export type { Program, Programs }
