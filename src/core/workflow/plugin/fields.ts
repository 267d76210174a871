import { isJsonObject, memberOf, textMember } from '../document/members.ts'
import type { Json } from '../../kernel/json.ts'

/** One input, output or member of a type, as a spec has it. */
type Field = { readonly type: string; readonly required: boolean; readonly default: Json | undefined; readonly enum: readonly Json[] | null }

/** The fields of a map of fields; none where it is absent, null or something else. */
function fieldsOf(raw: Json | undefined): Map<string, Field> {
  const fields = new Map<string, Field>()
  if (!isJsonObject(raw)) return fields
  for (const [name, field] of Object.entries(raw)) {
    if (!isJsonObject(field)) continue
    const values = memberOf(field, 'enum')
    fields.set(name, {
      type: textMember(field, 'type') || 'string',
      required: memberOf(field, 'required') === true,
      default: memberOf(field, 'default') ?? undefined,
      enum: Array.isArray(values) ? values : null,
    })
  }
  return fields
}

export type { Field }
export { fieldsOf }
