import { fault } from '../kernel/fault.ts'
import { isObject } from '../kernel/json.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import { TemplateTooLarge, TemplatesUnreadable } from '../../ports/template-store.ts'
import { checkedText, readCheckedJson } from './checked-json.ts'
import { openViewer } from './namespace.ts'
import { parameterFault } from './parameter.ts'
import { deepestDocument, largestDocument } from './source.ts'
import type { Problem } from '../kernel/fault.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { AnyOperation } from '../operation/operation.ts'

const KindMember = OneOf(['task', 'pipeline'], { description: 'What it describes.' })
const path = /^[A-Za-z0-9][A-Za-z0-9._/-]*\.json$/

const list = defineOperation({
  name: 'template.list',
  summary: 'The names of the templates that the operator of this server keeps.',
  input: Closed({ kind: KindMember }),
  output: Closed({ items: Type.Array(Type.String()) }),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { kind: 'task' },
  async run(ctx, { kind }) {
    openViewer(ctx)
    const names = await ctx.services.templates.list(kind).catch(unreadable)
    // By code point: every name is ASCII by the pattern.
    return { items: names.filter(isTemplatePath).sort() }
  },
})

const get = defineOperation({
  name: 'template.get',
  summary: 'One template: a manifest or pipeline to begin with.',
  input: Closed({ kind: KindMember, template_path: Type.String({ maxLength: 1024, description: 'Its name, as the list gives it.' }) }),
  output: Closed({ template_path: Type.String(), template: Type.Unsafe<JsonObject>({ type: 'object' }) }),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { kind: 'task', template_path: 'job.json' },
  async run(ctx, { kind, template_path: name }) {
    openViewer(ctx)
    if (!isTemplatePath(name)) {
      throw parameterFault('template_path', 'must be a relative path of letters, digits, ".", "_", "-" and "/" that ends in .json, without ".."')
    }
    const bytes = await ctx.services.templates.read(kind, name, { limit: largestDocument }).catch((error: unknown) => {
      if (error instanceof TemplateTooLarge) throw invalid(name, [problem('size', `is larger than ${largestDocument} bytes`)])
      return unreadable(error)
    })
    if (bytes === null) {
      const context = { absence: 'missing', kind: 'template', reference: name, member: 'template_path' } as const
      throw fault('not_found', { kind: 'template', reference: name }, { private: context })
    }
    const text = checkedText(bytes)
    const { value, problems } =
      'problem' in text ? { value: undefined, problems: [text.problem] } : readCheckedJson(text.text, { depth: deepestDocument })
    if (problems.length > 0) throw invalid(name, problems)
    if (!isObject(value)) throw invalid(name, [problem('type', 'must be a JSON object')])
    return { template_path: name, template: value as JsonObject }
  },
})

/** Whether a text can be the name of a template (Deploy API §9). */
function isTemplatePath(name: string): boolean {
  return name.length <= 255 && path.test(name) && name.split('/').every((part) => part !== '' && part !== '.' && !part.includes('..'))
}

function unreadable(error: unknown): never {
  if (error instanceof TemplatesUnreadable) throw fault('store_unavailable', { seconds: 5 }, { cause: error, retryAfterMs: 5000 })
  throw error
}

function problem(code: string, message: string): Problem {
  return { path: '', code, message, severity: 'error' }
}

function invalid(name: string, problems: readonly Problem[]) {
  const first = problems[0]?.message ?? ''
  const params = { what: `The template "${name}"`, count: problems.length, first: `it ${first}` }
  return fault('content_invalid', params, { details: { problems }, private: { kind: 'template' } })
}

const templateOperations: readonly AnyOperation[] = [list, get]

export { isTemplatePath, templateOperations }
