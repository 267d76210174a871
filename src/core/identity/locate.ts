import { fault } from '../kernel/fault.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'
import type { AnyOperation } from '../operation/operation.ts'

const locateUser = defineOperation({
  name: 'user.locate',
  summary: 'Gives the id of the user of an exact name or a serial.',
  description: 'For APIs that use numbers. Names of users are no secret among those who are signed in; e-mail addresses are not taken.',
  input: Closed({ path: Type.String({ maxLength: 700, description: 'The exact name, or `_<serial>`.' }) }),
  output: Closed({ id: Type.String(), serial: Type.Integer(), name: Type.String(), kind: OneOf(['user', 'service', 'builtin']) }),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  hidden: true,
  example: { path: 'ann' },
  async run(ctx, { path }) {
    const serial = serialIn(path)
    const row = await (serial === null ? ctx.db.users.byName(path) : ctx.db.users.bySerial(serial))
    if (!row) {
      throw fault('not_found', { kind: 'user', reference: path }, { private: { absence: 'missing', kind: 'user', reference: path, member: 'path' } })
    }
    return { id: row.id, serial: row.serial, name: row.name, kind: row.kind }
  },
})

const locateOperations: AnyOperation[] = [locateUser]

// No name begins with "_".
function serialIn(path: string): number | null {
  const digits = /^_([1-9][0-9]{0,14})$/.exec(path)?.[1]
  return digits === undefined ? null : Number(digits)
}

export { locateOperations }
