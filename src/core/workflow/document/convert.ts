import type { Json } from '../../kernel/json.ts'
import type { WorkflowDocument } from './model.ts'

/**
 * The document in the other format's way of naming steps: by name in `kom`, by node id in `icon`. As well as it goes: what cannot be carried over is in
 * `warnings`, and the texts of templates and rules are changed only where they name a step.
 */
function converted(document: WorkflowDocument, format: WorkflowDocument['format']): { document: WorkflowDocument; warnings: string[] } {
  if (document.format === format) return { document, warnings: [] }
  const warnings: string[] = []
  const names = new Map<string, string>()
  const seen = new Set<string>()
  for (const step of document.steps) {
    if (step.name === '') continue
    if (seen.has(step.name)) warnings.push(`two steps are called "${step.name}": a reference to it means the first one`)
    else names.set(format === 'kom' ? step.id : step.name, format === 'kom' ? step.name : step.id)
    seen.add(step.name)
    if (step.name.includes(']')) warnings.push(`the step "${step.name}" cannot be named in a template: its name holds a "]"`)
  }
  const steps = document.steps.map((step) => ({ ...step, parameters: renamed(step.parameters, names) as typeof step.parameters })) // an object stays one
  if (Object.keys(document.kept).length > 0) warnings.push(`what only the ${document.format} format has is left out`)
  return { document: { ...document, format, steps }, warnings }
}

function renamed(value: Json, names: ReadonlyMap<string, string>): Json {
  if (typeof value === 'string') return value.includes('{{') ? renamedText(value, names) : value
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => renamed(item, names))
  // The stored tree of a rule names steps in its variables; the text is what counts, so the tree goes.
  const members = Object.entries(value).filter(([name]) => name !== 'expression')
  return Object.fromEntries(members.map(([name, member]) => [name, renamed(member, names)]))
}

// A path begins after the opening braces, a blank or a "(", never after a dot: only its first segment can be a step.
const firstSegment = /(^|[\s(#~])(?:\["?([^\]"]+)"?\]|([\p{L}_$][\p{L}\p{Nd}_$-]*))(?=[.\s)}~]|$)/gu
const words = new Set(['each', 'if', 'unless', 'equal', 'with', 'else', 'lookup', 'this', 'true', 'false'])

function renamedText(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(/\{\{([^{}]*)\}\}/g, (_, inside: string) => {
    const replaced = inside.replace(firstSegment, (whole, before: string, bracketed: string | undefined, bare: string | undefined) => {
      const name = bracketed ?? bare ?? ''
      if (bare !== undefined && words.has(bare)) return whole
      const to = names.get(name)
      return to === undefined ? whole : `${before}[${to}]`
    })
    return `{{${replaced}}}`
  })
}

export { converted }
