import { isFault } from '../kernel/fault.ts'
import { freeze, isObject } from '../kernel/json.ts'
import { validator } from '../kernel/schema.ts'
import { parseCron } from '../run/cron.ts'
import { pointerPart } from './checked-json.ts'
import { manifestSchema, publishedSchema } from './manifest-schema.ts'
import { cpuCores, memoryBytes } from './quantity.ts'
import type { Problem } from '../kernel/fault.ts'
import type { Json, JsonObject } from '../kernel/json.ts'
import type { ImagePull } from '../../ports/runtime.ts'

type TaskType = 'job' | 'deployment' | 'service'

/** A variable of a task: a value, or where to find one among the secrets of its namespace. Plain data, because it is stored with the run. */
type EnvEntry = {
  readonly name: string
  readonly value: string | null
  readonly secret: { readonly name: string; readonly key: string; readonly optional: boolean } | null
}

/** Runs them side by side, skips the new one, or stops the earlier one first. */
const concurrencyPolicies = ['Allow', 'Forbid', 'Replace'] as const
type ConcurrencyPolicy = (typeof concurrencyPolicies)[number]

const pullPolicies: Readonly<Record<string, ImagePull>> = { Always: 'always', IfNotPresent: 'missing', Never: 'never' }

/** A manifest.json without problems, its defaults filled in. */
type Manifest = {
  readonly name: string | null
  readonly type: TaskType
  readonly labels: Readonly<Record<string, string>>
  readonly image: string | null
  readonly imageDestination: string | null
  /** Null: as the tag of the image says. */
  readonly imagePull: ImagePull | null
  readonly cmd: readonly string[]
  /** Appended to `cmd`, or to the entry point of the image. */
  readonly args: readonly string[]
  readonly env: readonly EnvEntry[]
  readonly cpuLimit: number | null
  readonly memoryLimit: number | null
  /** Cores and bytes that it needs to start. */
  readonly cpuRequest: number | null
  readonly memoryRequest: number | null
  readonly schedule: string
  readonly retries: number
  readonly timeoutSeconds: number
  readonly graceSeconds: number
  /** What happens when an occurrence of a cron job is due while an earlier one runs. */
  readonly concurrency: ConcurrencyPolicy
  /** Instances of a deployment or service. */
  readonly replicas: number
  /** Where a service listens unless it reads `PORT`; shown, and used by runtimes whose instances have an address of their own. */
  readonly containerPort: number | null
  /** How a service is exposed; null: it is not. */
  readonly published: Published | null
}

type Amounts = 'cpuLimit' | 'memoryLimit' | 'cpuRequest' | 'memoryRequest'

/** What the gateway does with a service (Deploy API §6.1). Plain data: stored with the service. */
type Published = {
  readonly prefix: string
  /** The group that may use it; null: everybody who is signed in. */
  readonly access: string | null
  /** Put in place of the prefix; '' leaves the path as it is. */
  readonly rewrite: string
  readonly timeout_ms: number
  readonly sticky_sessions: boolean
  readonly bypass_auth: boolean
}

/** The manifest, unless a problem is an error; and all problems, warnings included. */
type ManifestReading = { readonly manifest: Manifest | null; readonly problems: readonly Problem[] }

const readings = new WeakMap<object, ManifestReading>()

/** Reads a parsed manifest.json by the rules of Deploy API §6: every problem at once, each with its place. */
async function readManifest(value: Json, known: readonly Problem[] = []): Promise<ManifestReading> {
  // What is frozen was read before, or will be read again.
  if (!isObject(value) || !Object.isFrozen(value) || known.length > 0) return readAnew(value, known)
  const before = readings.get(value)
  if (before) return before
  const reading = freeze(await readAnew(value, known))
  readings.set(value, reading)
  return reading
}

async function readAnew(value: Json, known: readonly Problem[]): Promise<ManifestReading> {
  const problems: Problem[] = [...known]
  if (!isObject(value)) return { manifest: null, problems: [...problems, error('', 'type', 'must be an object')] }
  const document = value as JsonObject
  problems.push(...(await validator(manifestSchema))(document).map(asError))
  const bad = new Set(problems.map((problem) => problem.path.split('/')[1] ?? ''))
  const say = (path: string, code: string, message: string) => problems.push(error(path, code, message))
  const labels = readLabels(document.labels, say)
  const amounts = readAmounts(document, say)
  if (!bad.has('env')) checkEnv(document.env, say)
  if (!bad.has('cmd') && !bad.has('args')) checkCommand(document, say)
  checkSource(document, say)
  checkType(document, say)
  await checkPublished(document, problems)
  if (typeof document.schedule === 'string' && document.schedule !== '') checkSchedule(document.schedule, say)
  problems.push(...unknownMembers(document))
  if (problems.some(isError)) return { manifest: null, problems }
  return { manifest: { ...complete(document), labels, ...amounts }, problems }
}

/** Whether a problem makes the document unusable; warnings do not. */
function isError(problem: Problem): boolean {
  return problem.severity !== 'warning'
}

type Say = (path: string, code: string, message: string) => void

function error(path: string, code: string, message: string): Problem {
  return { path, code, message, severity: 'error' }
}

/** Marks a problem that a schema found as an error. */
function asError(problem: Problem): Problem {
  return { ...problem, severity: 'error' }
}

const labelPart = /^[A-Za-z0-9./_-]+$/
const labelValue = /^[A-Za-z0-9._-]*$/

function readLabels(value: Json | undefined, say: Say): Record<string, string> {
  if (value === undefined || value === '') return {}
  const labels = new Map<string, string>()
  const put = (path: string, name: string, text: string) => {
    if (!labelPart.test(name) || !labelValue.test(text) || text.length > 63 || name.length > 253) {
      say(path, 'pattern', `"${name}:${text}" must be key:value of letters, digits, ".", "_" and "-", the value at most 63 of them`)
    } else if (labels.has(name)) say(path, 'duplicate', `the label ${name} is given twice`)
    else labels.set(name, text)
  }
  if (typeof value === 'string' && value.length <= 8192) {
    for (const part of value.split(',')) {
      const colon = part.indexOf(':')
      put('/labels', part.slice(0, colon < 0 ? undefined : colon).trimStart(), colon < 0 ? ' ' : part.slice(colon + 1))
    }
  } else if (isObject(value)) {
    for (const [name, text] of Object.entries(value)) {
      if (typeof text === 'string') put(`/labels/${pointerPart(name)}`, name, text)
      else say(`/labels/${pointerPart(name)}`, 'type', 'must be of type string')
    }
  } else say('/labels', 'type', 'must be a text key:value, a comma-separated list of them, or an object')
  return Object.fromEntries(labels)
}

function readAmounts(document: JsonObject, say: Say): Pick<Manifest, Amounts> {
  const read = (member: string, parse: (value: unknown) => number | null, example: string) => {
    if (document[member] === undefined) return null
    const amount = parse(document[member])
    if (amount === null) say(`/${member}`, 'quantity', `must be a quantity such as ${example}`)
    return amount
  }
  const pair = (what: 'cpu' | 'memory', parse: (value: unknown) => number | null, example: string) => {
    const limit = read(`${what}-limit`, parse, example)
    const request = read(`${what}-request`, parse, example)
    if (limit !== null && request !== null && request > limit) say(`/${what}-request`, 'limit', `is more than ${what}-limit`)
    if (limit === 0) say(`/${what}-limit`, 'quantity', 'must be more than 0')
    return { limit, request }
  }
  const cpu = pair('cpu', cpuCores, '"0.20" or "200m"')
  const memory = pair('memory', memoryBytes, '"200Mi"')
  return { cpuLimit: cpu.limit, cpuRequest: cpu.request, memoryLimit: memory.limit, memoryRequest: memory.request }
}

function checkEnv(env: Json | undefined, say: Say): void {
  const seen = new Set<string>()
  for (const [index, entry] of (Array.isArray(env) ? env : []).entries()) {
    if (!isObject(entry)) continue
    if (seen.has(String(entry.name))) say(`/env/${index}/name`, 'duplicate', `the variable ${entry.name} is given twice`)
    seen.add(String(entry.name))
    if (entry.value !== undefined && entry.valueFrom !== undefined) say(`/env/${index}`, 'exclusive', 'has a value and a valueFrom; keep one')
    if (typeof entry.value === 'string' && entry.value.includes('\0')) say(`/env/${index}/value`, 'nul', 'holds a NUL character')
  }
}

// A NUL would end the argument early in every operating system: what is checked would not be what runs.
function checkCommand(document: JsonObject, say: Say): void {
  for (const member of ['cmd', 'args'] as const) {
    for (const [index, part] of (Array.isArray(document[member]) ? document[member] : []).entries()) {
      if (typeof part === 'string' && part.includes('\0')) say(`/${member}/${index}`, 'nul', 'holds a NUL character')
    }
  }
  if (Array.isArray(document.cmd) && document.cmd[0] === '') say('/cmd/0', 'empty', 'must name a program')
}

function checkSource(document: JsonObject, say: Say): void {
  const image = document.image !== undefined
  const destination = document['image-destination'] !== undefined
  if (image && destination) say('/image', 'exclusive', 'cannot be given together with image-destination; keep one')
  const bare = Array.isArray(document.cmd) && document.cmd.length > 0
  if (!image && !destination && !bare) say('/cmd', 'required', 'is required where neither image nor image-destination is given')
}

function checkType(document: JsonObject, say: Say): void {
  const { type } = document
  if (type === 'service' && document['container-port'] === undefined) say('/container-port', 'required', 'is required for a service')
  if ((type === 'service' || type === 'deployment') && typeof document.schedule === 'string' && document.schedule !== '') {
    say('/schedule', 'not_allowed', `only a job can have a schedule, not a ${type}`)
  }
}

function isUnpublished(value: Json | undefined): boolean {
  return value === undefined || value === null || value === '' || (isObject(value) && Object.keys(value).length === 0)
}

async function checkPublished(document: JsonObject, problems: Problem[]): Promise<void> {
  const { published, type } = document
  if (isUnpublished(published)) return
  if (type !== 'service') {
    problems.push(error('/published', 'not_allowed', 'only a service can be published'))
    return
  }
  const found = (await validator(publishedSchema))(published)
  problems.push(...found.map((problem) => asError({ ...problem, path: `/published${problem.path}` })))
}

function checkSchedule(schedule: string, say: Say): void {
  try {
    parseCron(schedule)
  } catch (thrown) {
    if (!isFault(thrown)) throw thrown
    say('/schedule', 'schedule', `is no schedule: ${thrown.params.first}`)
  }
}

function unknownMembers(document: JsonObject): Problem[] {
  return Object.keys(document)
    .filter((name) => !Object.hasOwn(manifestSchema.properties, name))
    .map((name) => ({ path: `/${pointerPart(name)}`, code: 'unknown', message: 'is not known here and has no effect', severity: 'warning' }))
}

// Called after the schema found nothing wrong: every member is absent or of its type.
function complete(document: JsonObject): Omit<Manifest, 'labels' | Amounts> {
  return {
    name: optional(document.name),
    type: document.type as TaskType,
    image: optional(document.image),
    imageDestination: optional(document['image-destination']),
    imagePull: pullPolicies[optional(document['image-pull-policy']) ?? ''] ?? null,
    cmd: strings(document.cmd),
    args: strings(document.args),
    env: (Array.isArray(document.env) ? document.env : []).flatMap((entry) => (isObject(entry) ? [envEntry(entry)] : [])),
    schedule: optional(document.schedule) ?? '',
    retries: whole(document.retries, 0),
    timeoutSeconds: whole(document['timeout-seconds'], 0),
    graceSeconds: whole(document['termination-grace-seconds'], 30),
    concurrency: concurrencyPolicies.find((policy) => policy === document['concurrency-policy']) ?? 'Allow',
    replicas: whole(document.replicas, 1),
    containerPort: typeof document['container-port'] === 'number' ? document['container-port'] : null,
    published: isUnpublished(document.published) || !isObject(document.published) ? null : publishedOf(document.published),
  }
}

function publishedOf(published: Record<string, unknown>): Published {
  return {
    prefix: String(published.prefix),
    access: optional(published.access) || null,
    rewrite: optional(published.rewrite) ?? '/',
    timeout_ms: whole(published.timeout_ms as Json | undefined, 6000), // the schema let whole numbers pass only
    sticky_sessions: published.sticky_sessions === true,
    bypass_auth: published.bypass_auth === true,
  }
}

function envEntry(entry: Record<string, unknown>): EnvEntry {
  const reference = isObject(entry.valueFrom) && isObject(entry.valueFrom.secretKeyRef) ? entry.valueFrom.secretKeyRef : null
  const secret = reference && { name: String(reference.name), key: String(reference.key), optional: reference.optional === true }
  return { name: String(entry.name), value: secret ? null : (optional(entry.value) ?? ''), secret }
}

function optional(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function strings(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((part) => typeof part === 'string') : []
}

function whole(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}

export type { TaskType, ConcurrencyPolicy, EnvEntry, Manifest, ManifestReading, Published }
export { readManifest, isError, asError }
