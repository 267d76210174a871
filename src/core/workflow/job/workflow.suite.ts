import type { Json, JsonObject } from '../../kernel/json.ts'

/** A workflow for tests, in the members of a `.kom` file: steps and paths by short ids. */
type Drawing = {
  readonly name: string
  readonly type?: 'normal' | 'snippet'
  readonly steps: readonly JsonObject[]
  /** `from>to`, `from>to:name`; `from>` ends. A path's id is `from>to`. */
  readonly paths: readonly string[]
  readonly triggers?: readonly JsonObject[]
}

/** The document of a drawing. */
function documentOf({ name, type = 'normal', steps, paths, triggers = [] }: Drawing): JsonObject {
  return {
    name,
    type,
    steps: steps.map((step) => ({ name: step.id as Json, parent_id: '', parameters: {}, ...step })),
    paths: paths.map((text) => {
      const [way = '', label = ''] = text.split(':')
      const [from = '', to = ''] = way.split('>')
      return { id: way, from_step: from, to_step: to, name: label }
    }),
    triggers: [...triggers],
  }
}

const trigger: JsonObject = { id: 'start', type: 'api_trigger' }

/** A decision: `rules` by path in order; a rule of '' is the default. */
function decision(id: string, rules: Readonly<Record<string, string>>, more: JsonObject = {}): JsonObject {
  const entries = Object.entries(rules)
  return {
    id,
    type: 'automated_decision',
    parameters: {
      stepControlParams: entries.map(([edge, text]) => ({ edgeId: `${id}>${edge}`, expressionText: text, expression: {} })),
      defaultEdgeId: entries.filter(([, text]) => text === '').map(([edge]) => `${id}>${edge}`)[0] ?? '',
    },
    ...more,
  }
}

const artifact = (id: string, content: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'artifact',
  parameters: { type: 'markdown', input: { content } },
  ...more,
})

export { documentOf, trigger, decision, artifact }
