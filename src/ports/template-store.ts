type TemplateKind = 'task' | 'pipeline'

/** Where an operator keeps templates of definitions: files below one place for each kind. */
type TemplateStore = {
  /** The names of all templates of a kind, relative, `/` as separator; in no certain order. Throws `TemplatesUnreadable`. */
  list(kind: TemplateKind): Promise<string[]>
  /** The bytes of one; null when there is none, or it is no regular file inside its place. More than `limit` bytes throw `TemplateTooLarge`. */
  read(kind: TemplateKind, path: string, options: { limit: number }): Promise<Uint8Array | null>
}

/** The place of the templates cannot be read now. */
class TemplatesUnreadable extends Error {
  override readonly name = 'TemplatesUnreadable'
}

class TemplateTooLarge extends Error {
  override readonly name = 'TemplateTooLarge'
}

export type { TemplateKind, TemplateStore }
export { TemplatesUnreadable, TemplateTooLarge }
