import { expect, test } from 'vitest'
import { fault, faults } from '../../core/kernel/fault.ts'
import { errorBody, refusalOf, statuses } from './errors.ts'
import type { FaultCode } from '../../core/kernel/fault.ts'

const all = Object.keys(faults) as FaultCode[]

test.each(all)('%s has a code of the contract, and tells nothing that is not meant for callers', (code) => {
  const made = fault(
    code,
    {},
    { details: { secret: 'hunter2' }, private: { note: 'hunter2', kind: 'hunter2', path: 'hunter2', reference: 'hunter2', member: 'm' } },
  )
  const refusal = refusalOf(made)
  expect(statuses[refusal.code]).toBe(refusal.status)
  expect(JSON.stringify(errorBody(refusal, 'request'))).not.toContain('hunter2')
  expect(refusal.retryAfterSeconds !== null).toBe([429, 501, 502, 503, 504].includes(refusal.status) && refusal.status !== 501)
})

test.each([
  ['repository', 'repository_not_found'],
  ['branch', 'branch_not_found'],
  ['directory', 'directory_not_found'],
  ['manifest', 'manifest_not_found'],
  ['pipeline file', 'pipeline_file_not_found'],
  ['namespace', 'namespace_not_found'],
  ['job', 'job_not_found'],
  ['task', 'task_not_found'],
  ['pipeline', 'pipeline_not_found'],
])('a missing %s is %s', (kind, code) => {
  expect(refusalOf(fault('not_found', {}, { private: { kind } }))).toMatchObject({ status: 404, code })
})

test('a wrong member is named as the route calls it', () => {
  const made = fault('invalid_name', {}, { details: { field: 'name' } })
  expect(refusalOf(made, { name: 'job' }).details).toEqual({ field: 'job' })
  const shape = fault('invalid_input', {}, { details: { problems: [{ path: '/task', code: 'type', message: '' }] } })
  expect(refusalOf(shape, { task: 'id' }).details).toEqual({ field: 'id' })
})

test('what went wrong with an identity is told apart', () => {
  const of = (note: string) => refusalOf(fault('invalid_credential', {}, { private: { note } })).code
  expect(['invalid_token', 'invalid_key', 'account_inactive', 'identity_untrusted', 'unknown_identity', 'signature_invalid'].map(of)).toEqual([
    'invalid_token',
    'invalid_token',
    'invalid_token',
    'identity_untrusted',
    'unknown_identity',
    'identity_untrusted',
  ])
})
