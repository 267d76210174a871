import { fault, isFault } from '../kernel/fault.ts'
import { lastSegment } from '../repository/names.ts'
import { isError, readManifest } from './manifest.ts'
import { checkDirectory, codeOf, findRepository, readDocument, resolveBeside } from './source.ts'
import { planTask } from './task.ts'
import type { Fault, Problem } from '../kernel/fault.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { Level } from '../kernel/level.ts'
import type { PipelineReading, PipelineTaskDefinition } from './pipeline.ts'
import type { Source } from './source.ts'
import type { TaskPlan } from './task.ts'

/** Where a pipeline comes from, as far as its tasks depend on it. `source` is null for a configuration that came in the call. */
type PipelineOrigin = {
  readonly source: Source | null
  readonly repository: { readonly row: ResourceRow; readonly level: Level; readonly text: string } | null
  readonly branch: string
}

type PlannedTask = PipelineTaskDefinition & { readonly plan: TaskPlan }

/**
 * Resolves every task of a pipeline to a plan, before anything starts (Deploy API §7.2). A task of the pipeline's own repository is read at the pipeline's
 * commit; one of another repository from the same branch there, else from that repository's default branch, fixed once. `unsupported` is why no server like
 * this one could run one of them.
 */
async function planTasks(
  ctx: Ctx,
  definitions: PipelineReading['tasks'],
  origin: PipelineOrigin,
): Promise<{ tasks: readonly PlannedTask[]; problems: readonly Problem[]; unsupported: Fault | null }> {
  const resolver = new Resolver(ctx, origin)
  let unsupported: Fault | null = null
  const problems: Problem[] = []
  const tasks: PlannedTask[] = []
  for (const [index, task] of definitions) {
    const path = `/tasks/${index}/namespacetask`
    const reading = await resolver.read(task).catch((error: unknown) => {
      // What is wrong in the documents is told first: it can be put right, this cannot.
      if (!isFault(error, 'unsupported')) throw error
      unsupported ??= error
      return { plan: null, problems: [] }
    })
    problems.push(...reading.problems.map((problem) => ({ ...problem, path })))
    if (reading.plan) tasks.push({ ...task, plan: withEnvironment(reading.plan, task.env) })
  }
  return { tasks, problems, unsupported }
}

// What the pipeline says wins over the manifest.
function withEnvironment(plan: TaskPlan, added: PipelineTaskDefinition['env']): TaskPlan {
  if (added.length === 0) return plan
  const names = new Set(added.map((entry) => entry.name))
  const kept = plan.work.env.filter((entry) => !names.has(entry.name))
  return { ...plan, work: { ...plan.work, env: [...kept, ...added.map((entry) => ({ ...entry, secret: null }))] } }
}

type Reading = { readonly plan: TaskPlan | null; readonly problems: readonly Problem[] }
type Repository = { readonly row: ResourceRow; readonly level: Level; readonly text: string }

// Hundreds of tasks often share a repository or a definition: each is looked up once.
class Resolver {
  readonly #ctx: Ctx
  readonly #origin: PipelineOrigin
  readonly #repositories = new Map<string, Promise<Repository>>()
  readonly #readings = new Map<string, Promise<Reading>>()

  constructor(ctx: Ctx, origin: PipelineOrigin) {
    this.#ctx = ctx
    this.#origin = origin
  }

  read(task: PipelineTaskDefinition): Promise<Reading> {
    let reading = this.#readings.get(task.namespacetask)
    if (!reading) {
      reading = this.#read(task).catch((error) => ({ plan: null, problems: [problemOf(error, task)] }))
      this.#readings.set(task.namespacetask, reading)
    }
    return reading
  }

  async #read(task: PipelineTaskDefinition): Promise<Reading> {
    const ctx = this.#ctx
    checkDirectory(task.directory)
    const source = await this.#source(task)
    const document = await readDocument(ctx, source, 'manifest.json')
    if (document.value === undefined) return { plan: null, problems: document.problems.map((problem) => inManifest(problem, task)) }
    const { manifest, problems } = await readManifest(document.value, document.problems)
    if (!manifest) return { plan: null, problems: problems.filter(isError).map((problem) => inManifest(problem, task)) }
    if (manifest.type !== 'job')
      return { plan: null, problems: [wrong('type', `${task.namespacetask} is a ${manifest.type}; only a job can be part of a pipeline`)] }
    const ignored: Problem = { path: '', code: 'schedule_ignored', message: `the schedule of ${task.namespacetask} is ignored`, severity: 'warning' }
    const plan = planTask(ctx, manifest, source, await codeOf(ctx, source))
    return { plan, problems: manifest.schedule === '' ? [] : [ignored] }
  }

  async #source(task: PipelineTaskDefinition): Promise<Source> {
    const { source, branch, repository: own } = this.#origin
    const repository = await this.#repository(task.repository)
    if (!source || repository.row.id !== own?.row.id) return resolveBeside(this.#ctx, repository, task.directory, branch)
    const entry = await this.#ctx.services.git.entry(source.repositoryId, source.commit, task.directory)
    if (entry?.type !== 'tree') {
      throw fault('not_found', { kind: 'directory', reference: task.directory }, { private: { kind: 'directory', reference: task.directory } })
    }
    return { ...source, directory: task.directory }
  }

  #repository(name: string): Promise<Repository> {
    let found = this.#repositories.get(name)
    if (!found) {
      found = this.#lookUp(name)
      this.#repositories.set(name, found)
    }
    return found
  }

  // A pipeline that names its own repository means just that one, wherever it is; beside it come the caller's, then its neighbours.
  async #lookUp(name: string): Promise<Repository> {
    const own = this.#origin.repository
    if (own && lastSegment(own.row.name) === name) return own
    try {
      return { ...(await findRepository(this.#ctx, name)), text: name }
    } catch (error) {
      const group = own ? own.row.name.slice(0, -lastSegment(own.row.name).length) : ''
      if (!isFault(error, 'not_found') || group === '') throw error
      return { ...(await findRepository(this.#ctx, `${group}${name}`)), text: `${group}${name}` }
    }
  }
}

// What keeps one task from being planned is a problem of the pipeline; what keeps everything from it (git, the runtime, what is not built) ends the call.
function problemOf(error: unknown, task: PipelineTaskDefinition): Problem {
  if (isFault(error, 'not_found'))
    return wrong(`${(error.context.kind ?? 'file').replace(' ', '_')}_not_found`, missingText(error.context.kind, task))
  if (
    isFault(error, 'source_required') ||
    isFault(error, 'dockerfile_not_found') ||
    isFault(error, 'content_invalid') ||
    isFault(error, 'invalid_input')
  ) {
    return wrong(error.code, `${task.namespacetask}: ${error.message}`)
  }
  throw error
}

function missingText(kind: string | undefined, task: PipelineTaskDefinition): string {
  if (kind === 'repository') return `there is no repository "${task.repository}" that you may read`
  if (kind === 'branch') return `the repository "${task.repository}" has no branch to read`
  if (kind === 'directory') return `there is no directory "${task.directory}" in ${task.repository}`
  return `there is no manifest.json in ${task.namespacetask}`
}

function inManifest(problem: Problem, task: PipelineTaskDefinition): Problem {
  return wrong('manifest_invalid', `${task.namespacetask}/manifest.json: ${problem.path} ${problem.message}`)
}

function wrong(code: string, message: string): Problem {
  return { path: '', code, message, severity: 'error' }
}

export type { PipelineOrigin, PlannedTask }
export { planTasks }
