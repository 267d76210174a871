import { exampleOf } from '../program.ts'
import { wordsOf } from '../parameters.ts'
import { generated, table } from './markdown.ts'
import type { AnyOperation } from '../../core/operation/operation.ts'
import type { SubjectRule } from '../../core/operation/operation.ts'

/** `docs/operations.md`, from the registry. */
function operationsPage(operations: readonly AnyOperation[]): string {
  const sorted = [...operations].sort((a, b) => (a.name < b.name ? -1 : 1))
  const nouns = [...new Set(sorted.map(({ name }) => wordsOf(name).noun))]
  const rows = sorted.map((operation) => [`[\`${operation.name}\`](#${anchorOf(operation.name)})`, operation.summary, whoOf(operation)])
  return `${generated}
# Operations

Everything that Capstan does is one of these ${sorted.length} operations. \`POST /api/v1/<name>\` takes the input as a JSON object and answers with the output;
\`capstan <noun> <verb>\` is the same on the command line. Every API, schedule and workflow step ends here, with the same permissions and the same audit
trail. A thing is named \`kind:name\` or \`kind:id\`; where only one kind fits, the bare name or id does as well. Members marked \`?\` are optional.

${table(['operation', 'what you get', 'who may call it'], rows)}
${nouns
  .map(
    (noun) =>
      `## ${noun}\n\n${sorted
        .filter(({ name }) => wordsOf(name).noun === noun)
        .map(section)
        .join('\n')}`,
  )
  .join('\n')}`
}

function anchorOf(name: string): string {
  return name.replaceAll('.', '')
}

function section(operation: AnyOperation): string {
  const subjects = Object.values(operation.subjects).map(subjectText)
  const facts = [
    `Who: ${whoOf(operation)}.`,
    ...(subjects.length > 0 ? [`Needs: ${subjects.join('; ')}.`] : []),
    `Effect: ${effects[operation.effect]}${operation.audit === 'none' ? '' : ' It leaves a line in the audit trail.'}`,
  ]
  return `### ${operation.name}

${operation.summary}${operation.description ? ` ${operation.description}` : ''}

${facts.map((fact) => `- ${fact}\n`).join('')}
${membersTable('Input', operation.input, new Set(operation.secretMembers))}
${membersTable('Output', operation.output, new Set())}
\`\`\`sh
${exampleOf(operation)}
curl -X POST "$CAPSTAN/api/v1/${operation.name}" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '${JSON.stringify(operation.example).replaceAll("'", "'\\''")}'
\`\`\`
`
}

const effects = {
  read: 'reads.',
  write: 'changes the store.',
  act: 'reaches outside of the store (git, processes, clusters, hashing).',
} as const

function whoOf({ access }: AnyOperation): string {
  if (access === 'anyone') return 'everybody, signed in or not'
  if (access === 'signed-in') return 'everybody who is signed in'
  return access === 'administrator' ? 'administrators' : `who holds the system permission \`${access.system}\``
}

function subjectText({ kind, need, extra, member }: SubjectRule<unknown>): string {
  return `*${need}*${extra ? ` and \`${extra}\`` : ''} on the ${kind} named by \`${member}\``
}

type Node = {
  readonly type?: string
  readonly format?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
}

function membersTable(title: string, schema: Node, secrets: ReadonlySet<string>): string {
  // A list's own members are always the same; what it lists is of interest.
  const item = schema.properties?.items?.items
  const shown = item?.properties && schema.properties?.next ? item : schema
  const head = shown === schema ? title : `${title}: \`items\`, each with these members, and \`next\``
  const members = Object.entries(shown.properties ?? {})
  if (members.length === 0) return `${title}: ${schema.type === 'object' || !schema.type ? 'an object without members' : typeOf(schema)}.\n`
  const rows = members.map(([name, node]) => {
    const optional = shown.required?.includes(name) ? '' : '?'
    return [`\`${name}${optional}\``, typeOf(node), [descriptionOf(node), secrets.has(name) ? 'Secret.' : ''].filter(Boolean).join(' ')]
  })
  return `${head}:\n\n${table(['member', 'type', 'meaning'], rows)}`
}

function descriptionOf(node: Node): string {
  return node.description ?? node.anyOf?.find(({ description }) => description)?.description ?? ''
}

function typeOf(node: Node): string {
  if (node.anyOf) return node.anyOf.map(typeOf).join(' or ')
  if (node.enum) return node.enum.map((word) => `\`${String(word)}\``).join(', ')
  if (node.type === 'array') return `list of ${node.items ? typeOf(node.items) : 'anything'}`
  if (node.format === 'date-time') return 'time'
  return node.type === 'string' ? 'text' : (node.type ?? 'anything')
}

export { operationsPage }
