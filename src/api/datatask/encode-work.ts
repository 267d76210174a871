import { Fault, faults } from '../../core/kernel/fault.ts'
import { refusalOf } from './errors.ts'
import type { FaultCode } from '../../core/kernel/fault.ts'
import type { LoadingView } from '../../core/deploy/loading-operations.ts'

/** A loading as the contract calls it: a work (§11, §12.1). */
function encodeWork(loading: LoadingView) {
  return {
    work_id: loading.id,
    kind: loading.kind,
    state: loading.state,
    step: loading.step,
    repository: loading.repository,
    directory: loading.directory,
    branch: loading.branch,
    commit: loading.commit,
    configuration: loading.configuration,
    problems: loading.problems,
    error: loading.error && encodeWorkError(loading.error),
    created_at: loading.created_at,
    finished_at: loading.finished_at,
    expires_at: loading.expires_at,
  }
}

// The same words as for an error that is an answer: it is one, only later.
function encodeWorkError({ code, kind, message, problems }: NonNullable<LoadingView['error']>) {
  const known = Object.hasOwn(faults, code) ? (code as FaultCode) : 'internal' // one of an older version may be gone
  const { code: word, details } = refusalOf(new Fault(known, {}, { details: { problems }, ...(kind !== null && { private: { kind } }) }))
  return { code: word, message, details }
}

export { encodeWork }
