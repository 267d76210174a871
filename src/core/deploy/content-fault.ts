import { fault } from '../kernel/fault.ts'
import { isError } from './manifest.ts'
import type { Fault, Problem } from '../kernel/fault.ts'

/** Most problems that an answer lists. */
const mostProblems = 100

type DeployDocument = 'manifest.json' | 'pipeline.json'

/** The fault for a document with problems: all of them, warnings included, errors first. */
function contentFault(what: DeployDocument, problems: readonly Problem[]): Fault {
  const errors = problems.filter(isError)
  const first = errors[0]
  const listed = [...errors, ...problems.filter((problem) => !isError(problem))].slice(0, mostProblems)
  return fault(
    'content_invalid',
    { what, count: errors.length, first: first ? `${first.path || 'it'} ${first.message}` : '' },
    { details: { problems: listed }, private: { kind: what === 'manifest.json' ? 'manifest' : 'pipeline' } },
  )
}

export type { DeployDocument }
export { contentFault }
