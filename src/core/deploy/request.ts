import { fault, isFault } from '../kernel/fault.ts'
import { isObject } from '../kernel/json.ts'
import { isUuid } from '../kernel/id.ts'
import { Type } from '../kernel/schema.ts'
import { lastSegment } from '../repository/names.ts'
import { parseCron } from '../run/cron.ts'
import { readCheckedJson } from './checked-json.ts'
import { checkedDerivedName, checkedName } from './names.ts'
import { parameterFault } from './parameter.ts'
import { checkBranch, checkDirectory, checkRepositoryName, deepestDocument } from './source.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Json } from '../kernel/json.ts'

/** Members that deploying a task and running a pipeline have in common. An empty text means that it is left out. */
const requestMembers = {
  repository: Type.Optional(
    Type.String({ maxLength: 300, description: 'Where the definition is: a repository of the own organisation, or `organisation/name`.' }),
  ),
  directory: Type.Optional(Type.String({ maxLength: 1024, description: 'The directory of the definition inside it.' })),
  namespace: Type.Optional(Type.String({ maxLength: 300, description: 'Where it runs; named after the repository when left out.' })),
  name: Type.Optional(Type.String({ maxLength: 300, description: 'Its name; the one in the definition when left out.' })),
  branch: Type.Optional(Type.String({ maxLength: 1024, description: '`master` when left out, or else the default branch.' })),
  configuration: Type.Optional(
    Type.Unsafe<Json>({ description: 'The definition itself, as an object or as JSON text, in place of the file in the repository.' }),
  ),
  idempotency_key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x20-\\x7e]+$',
      description: 'The answer to the first call with it is repeated for a day.',
    }),
  ),
  route: Type.Optional(Type.String({ maxLength: 200, description: 'What the idempotency key is for; the operation when left out.' })),
}

/** What was asked for, its forms checked. Nothing was looked up yet. */
type DeployRequest = {
  readonly repository: string | null
  readonly directory: string | null
  readonly namespace: string
  readonly branch: string | null
  readonly schedule: string
  readonly configuration: Configuration | null
}

type Configuration = { readonly value: Json; readonly problems: readonly Problem[] }

type Input = {
  readonly repository?: string
  readonly directory?: string
  readonly namespace?: string
  readonly branch?: string
  readonly schedule?: string
  readonly configuration?: Json
}

/** Checks the forms of a request: `invalid_input`, `invalid_name` or `malformed_request`, before anything is looked up. */
function readRequest(input: Input): DeployRequest {
  const repository = given(input.repository)
  const directory = given(input.directory)
  const branch = given(input.branch)
  if (repository === null && directory !== null) throw parameterFault('repository', 'is required where a directory is given')
  if (repository !== null && directory === null && input.configuration === undefined) throw parameterFault('directory', 'is required')
  if (repository === null && input.configuration === undefined) throw parameterFault('repository', 'is required where no configuration is given')
  if (repository !== null) checkRepositoryName(repository)
  if (directory !== null) checkDirectory(directory)
  if (branch !== null) checkBranch(branch)
  const schedule = given(input.schedule) ?? ''
  const namespace = namespaceOf(given(input.namespace), repository)
  if (schedule !== '') checkSchedule(schedule)
  const configuration = input.configuration === undefined ? null : readConfiguration(input.configuration)
  return { repository, directory, namespace, branch, schedule, configuration }
}

/** Null for what is left out or empty. */
function given(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text
}

function namespaceOf(namespace: string | null, repository: string | null): string {
  if (namespace !== null) return checkedName(namespace, 'namespace', 'namespace')
  if (repository === null || isUuid(repository.replace(/^repository:/, ''))) throw parameterFault('namespace', 'is required here')
  return checkedDerivedName(lastSegment(repository.replace(/^repository:/, '')), 'namespace', 'repository')
}

function checkSchedule(schedule: string): void {
  try {
    parseCron(schedule)
  } catch (error) {
    if (!isFault(error)) throw error
    throw fault('invalid_input', error.params, {
      ...(error.details && { details: error.details }),
      private: { kind: 'schedule', member: 'schedule' },
    })
  }
}

// Broken JSON is the caller's form and not yet a document; what the document says wrong comes later.
function readConfiguration(configuration: Json): Configuration {
  const { value, problems } =
    typeof configuration === 'string' ? readCheckedJson(configuration, { depth: deepestDocument }) : { value: configuration, problems: [] }
  const refuse = (why: string) =>
    fault(
      'malformed_request',
      { why: `the configuration ${why}` },
      { details: { field: 'configuration', problems }, private: { kind: 'configuration', member: 'configuration' } },
    )
  if (value === undefined) throw refuse(problems[0]?.message ?? 'cannot be read')
  if (!isObject(value)) throw refuse('must be a JSON object')
  return { value, problems }
}

export type { DeployRequest, Configuration }
export { requestMembers, readRequest, given }
