import { missing, usableConnection, wrongForm, wrongPlugin } from './open.ts'
import { sortParameters } from './parameters.ts'
import { connectionSchema } from './plugin-schema.ts'
import { openParameters } from './spec.ts'
import type { Ctx } from '../../operation/context.ts'
import type { WorkflowDocument, WorkflowPlugin } from '../document/model.ts'

/** Why a connection cannot be used by the caller for a plugin; null when it can. */
async function connectionProblem(ctx: Ctx, connection: number | string, plugin: WorkflowPlugin): Promise<string | null> {
  const row = await usableConnection(ctx.db, ctx.principal, connection)
  if (!row) return missing(connection)
  const wrong = wrongPlugin(row, plugin)
  if (wrong !== null) return wrong
  const wanted = await connectionSchema(ctx, plugin)
  const unfit = wrongForm(row, wanted?.version ?? null)
  if (unfit !== null) return unfit
  try {
    const [problem] = wanted ? sortParameters(wanted.schema, openParameters(ctx.services.secretBox, row)).problems : []
    return problem ? `the connection "${row.name}" is not complete: ${problem.path} ${problem.message}` : null
  } catch (error) {
    ctx.log.warn('connection.not_opened', { connection: row.id, error })
    return `the settings of the connection "${row.name}" cannot be opened any more; enter them again`
  }
}

/** The first step of a workflow whose connection its starter cannot use, with why; null when there is none. To be asked before a run starts. */
async function brokenConnection(ctx: Ctx, document: WorkflowDocument): Promise<{ step: string; problem: string } | null> {
  const seen = new Set<string>()
  for (const { plugin, connection, is_disabled: disabled, name: step } of document.steps) {
    if (!plugin || connection === null || disabled) continue
    const asked = JSON.stringify([connection, plugin.vendor, plugin.name, plugin.version])
    if (seen.has(asked)) continue
    seen.add(asked)
    const problem = await connectionProblem(ctx, connection, plugin)
    if (problem !== null) return { step, problem }
  }
  return null
}

export { connectionProblem, brokenConnection }
