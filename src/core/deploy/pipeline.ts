import { isObject } from '../kernel/json.ts'
import { validator } from '../kernel/schema.ts'
import { cycles } from '../flow/order.ts'
import { pointerPart } from './checked-json.ts'
import { asError, isError } from './manifest.ts'
import { pipelineSchema } from './manifest-schema.ts'
import { derivedName } from './names.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Json, JsonObject } from '../kernel/json.ts'

/** One task of a pipeline.json. */
type PipelineTaskDefinition = {
  readonly name: string
  readonly repository: string
  readonly directory: string
  readonly namespacetask: string
  readonly dependance: readonly string[]
  readonly runIfError: boolean
  readonly env: readonly { readonly name: string; readonly value: string }[]
}

/** A pipeline.json whose shape and graph have no problem. */
type PipelineDefinition = { readonly name: string; readonly original: string | null; readonly tasks: readonly PipelineTaskDefinition[] }

type PipelineReading = {
  /** Null where there is an error. */
  readonly definition: PipelineDefinition | null
  /** The tasks that say where their definition is, by their place in the document, whatever else is wrong. */
  readonly tasks: ReadonlyMap<number, PipelineTaskDefinition>
  readonly problems: readonly Problem[]
}

/** Spellings that people take for `dependance`: ignoring them as unknown would change the order in which tasks run. */
const misspelt = ['dependence', 'dependances', 'dependency', 'dependencies', 'depends_on', 'depends-on', 'dependsOn', 'dependson']

/** Reads a parsed pipeline.json by the rules of Deploy API §7, all problems at once. Whether its tasks exist is for `pipeline-tasks.ts`. */
async function readPipeline(value: Json, known: readonly Problem[] = []): Promise<PipelineReading> {
  const problems: Problem[] = [...known]
  if (!isObject(value)) return { definition: null, tasks: new Map(), problems: [...problems, error('', 'type', 'must be an object')] }
  const document = value as JsonObject
  problems.push(...(await validator(pipelineSchema))(document).map(asError))
  const tasks = (Array.isArray(document.tasks) ? document.tasks : []).slice(0, 500).map((task) => (isObject(task) ? (task as JsonObject) : {}))
  const members = new Set<string>(Object.keys(pipelineSchema.properties))
  problems.push(...unknown(document, members, ''))
  for (const [index, task] of tasks.entries()) checkTask(task, index, problems)
  checkNames(tasks, problems)
  checkDependencies(tasks, problems)
  const located = new Map([...tasks.entries()].filter(([, task]) => isLocated(task)).map(([index, task]) => [index, definitionOf(task)]))
  if (problems.some(isError)) return { definition: null, tasks: located, problems }
  const original = typeof document.original === 'string' && document.original !== '' ? document.original : null
  return { definition: { name: String(document.name), original, tasks: [...located.values()] }, tasks: located, problems }
}

function checkTask(task: JsonObject, index: number, problems: Problem[]): void {
  const path = `/tasks/${index}`
  for (const name of misspelt.filter((spelling) => Object.hasOwn(task, spelling))) {
    problems.push(error(`${path}/${pointerPart(name)}`, 'misspelt', 'is not known here; the published spelling is dependance'))
  }
  const known = new Set<string>([...Object.keys(pipelineSchema.properties.tasks.items.properties), ...misspelt])
  problems.push(...unknown(task, known, path))
  const seen = new Set<string>()
  for (const [at, entry] of (Array.isArray(task.env) ? task.env : []).entries()) {
    if (!isObject(entry) || typeof entry.name !== 'string') continue
    if (seen.has(entry.name)) problems.push(error(`${path}/env/${at}/name`, 'duplicate', `the variable ${entry.name} is given twice`))
    seen.add(entry.name)
    if (textOf(entry.value).includes('\0')) problems.push(error(`${path}/env/${at}/value`, 'nul', 'holds a NUL character'))
  }
}

function checkNames(tasks: readonly JsonObject[], problems: Problem[]): void {
  const seen = new Map<string, string>()
  for (const [index, task] of tasks.entries()) {
    if (typeof task.name !== 'string') continue
    const derived = derivedName(task.name, 'job')
    const path = `/tasks/${index}/name`
    if (derived === null) {
      problems.push(error(path, 'name', 'has no letter or digit'))
      continue
    }
    const other = seen.get(derived)
    if (other === task.name) problems.push(error(path, 'duplicate', `"${task.name}" is the name of another task already`))
    else if (other !== undefined) problems.push(error(path, 'duplicate', `"${task.name}" becomes ${derived}, as "${other}" does`))
    seen.set(derived, task.name)
  }
}

function checkDependencies(tasks: readonly JsonObject[], problems: Problem[]): void {
  const index = new Map(tasks.map((task, at) => [task.name, at]))
  const after: number[][] = tasks.map(() => [])
  for (const [at, task] of tasks.entries()) {
    for (const [place, name] of (Array.isArray(task.dependance) ? task.dependance : []).entries()) {
      const path = `/tasks/${at}/dependance/${place}`
      // What is no name was told already.
      if (typeof name !== 'string' || name === '') continue
      const before = index.get(name)
      if (before === undefined) problems.push(error(path, 'unknown_task', `there is no task "${name}" in this pipeline`))
      else if (before === at) problems.push(error(path, 'self', 'a task cannot wait for itself'))
      else after[before]?.push(at)
    }
  }
  for (const cycle of cycles(after, 10)) {
    const names = [...cycle, cycle[0] ?? 0].map((at) => tasks[at]?.name)
    problems.push(error(`/tasks/${cycle[0]}/dependance`, 'cycle', `the tasks wait for each other: ${names.join(' → ')}`))
  }
}

const location = new RegExp(pipelineSchema.properties.tasks.items.properties.namespacetask.pattern ?? '')

function isLocated({ namespacetask: text }: JsonObject): boolean {
  return typeof text === 'string' && text.length <= 512 && location.test(text)
}

// Of a document with errors any value may be here, and one that has a member "toString" is no text at all.
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function definitionOf(task: JsonObject): PipelineTaskDefinition {
  const namespacetask = textOf(task.namespacetask)
  const slash = namespacetask.indexOf('/')
  return {
    name: textOf(task.name),
    namespacetask,
    repository: namespacetask.slice(0, slash),
    directory: namespacetask.slice(slash + 1),
    dependance: Array.isArray(task.dependance) ? task.dependance.map(textOf) : [],
    runIfError: task['run-if-error'] === true,
    env: (Array.isArray(task.env) ? task.env : []).flatMap((entry) =>
      isObject(entry) ? [{ name: textOf(entry.name), value: textOf(entry.value) }] : [],
    ),
  }
}

function unknown(object: JsonObject, known: ReadonlySet<string>, path: string): Problem[] {
  return Object.keys(object)
    .filter((name) => !known.has(name))
    .map((name) => ({ path: `${path}/${pointerPart(name)}`, code: 'unknown', message: 'is not known here and has no effect', severity: 'warning' }))
}

function error(path: string, code: string, message: string): Problem {
  return { path, code, message, severity: 'error' }
}

export type { PipelineTaskDefinition, PipelineDefinition, PipelineReading }
export { readPipeline }
