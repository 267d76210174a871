import { describe } from 'vitest'
import { codeStorageSuite } from '../testing/code-storage.suite.ts'
import { codeStreamsSuite } from '../testing/code-streams.suite.ts'
import { hasHg, openHgLab } from './hg-lab.suite.ts'

describe.skipIf(!hasHg())('Mercurial', () => {
  codeStorageSuite({ name: 'hg', branch: 'refs/heads/default', open: async () => (await openHgLab()).hg })
  codeStreamsSuite({ name: 'hg', branch: 'refs/heads/default', open: async () => (await openHgLab()).hg })
})
