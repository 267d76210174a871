import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { version } from '../kernel/version.ts'
import { defineOperation } from './operation.ts'
import type { AnyOperation } from './operation.ts'

const Component = Closed({ name: Type.String(), version: Type.String() })

const get = defineOperation({
  name: 'server.get',
  summary: 'What this server is made of and runs with.',
  input: Closed({}),
  output: Closed({
    version: Type.String(),
    platform: Type.String(),
    registration: OneOf(['approval', 'first', 'open', 'closed']),
    libraries: Type.Array(Component),
    programs: Type.Array(Closed({ name: Type.String(), version: Type.String(), path: Type.String() }), {
      description: 'Programs of the machine that were found.',
    }),
  }),
  access: 'administrator',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: {},
  async run({ services: { programs, settings } }) {
    const { platform, libraries } = programs
    return { version, platform, registration: settings.registration, libraries: [...libraries], programs: [...(await programs.found())] }
  },
})

const serverOperations: readonly AnyOperation[] = [get]

export { serverOperations }
