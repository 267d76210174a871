import { fault } from '../kernel/fault.ts'
import type { Fault } from '../kernel/fault.ts'

/** A member of the input that has the right type but not the right form. */
function parameterFault(member: string, message: string): Fault {
  return fault(
    'invalid_input',
    { operation: 'this call', count: 1, first: `/${member} ${message}` },
    { details: { problems: [{ path: `/${member}`, code: 'format', message, severity: 'error' }] }, private: { member } },
  )
}

export { parameterFault }
