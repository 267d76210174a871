import { createMasker } from '../../secret/mask.ts'
import { maskJson } from '../../secret/mask-json.ts'
import type { Json, JsonObject } from '../../kernel/json.ts'
import type { PluginAnswer } from '../../../ports/plugin-host.ts'

/** What is shown of a call, the secrets of its connection masked (contract §20). What goes from step to step is never altered. */
type Shown = {
  text(text: string): string
  input(input: JsonObject): JsonObject
  exception(exception: PluginAnswer['exception']): Json
}

// Shorter ones would hide half of any text.
const shortest = 6
const capacity = 100
const known = new Map<string, Shown>()

/** The masks of a connection, by its key: they cost more to make than to use. */
function masksOf(connection: { readonly key: string; readonly secrets: readonly string[] } | null): Shown {
  const secrets = (connection?.secrets ?? []).filter((secret) => secret.length >= shortest)
  if (connection === null || secrets.length === 0) return bare
  const before = known.get(connection.key)
  if (before) return before
  const masker = createMasker(secrets)
  const made: Shown = {
    text: (text) => masker.text(text),
    input: (input) => maskJson(masker, input) as JsonObject, // an object stays one
    exception: (exception) => exception && maskJson(masker, { ...exception }),
  }
  known.set(connection.key, made)
  const [oldest] = known.keys()
  if (known.size > capacity && oldest !== undefined) known.delete(oldest)
  return made
}

const bare: Shown = { text: (text) => text, input: (input) => input, exception: (exception) => exception && { ...exception } }

export { masksOf }
