import { codeStorageSuite } from '../testing/code-storage.suite.ts'
import { codeStreamsSuite } from '../testing/code-streams.suite.ts'
import { openLab } from './git-lab.suite.ts'

codeStorageSuite({ name: 'git', branch: 'refs/heads/master', open: async () => (await openLab()).git })
codeStreamsSuite({ name: 'git', branch: 'refs/heads/master', open: async () => (await openLab()).git })
