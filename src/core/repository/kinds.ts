import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation } from '../operation/operation.ts'

const listKinds = defineOperation({
  name: 'repository.list-kinds',
  summary: 'Lists the kinds of repositories that can be made here: hg only where Mercurial is installed.',
  input: Closed({}),
  output: Closed({ items: Type.Array(OneOf(['git', 'hg'])), next: Type.Null() }),
  access: 'anyone',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: {},
  async run({ services: { hg } }) {
    const items: ('git' | 'hg')[] = hg.missing === null ? ['git', 'hg'] : ['git']
    return { items, next: null }
  },
})

export { listKinds }
