import { codeStorageSuite } from '../testing/code-storage.suite.ts'
import { openLab } from './git-lab.suite.ts'

codeStorageSuite({ name: 'git', branch: 'refs/heads/master', open: async () => (await openLab()).git })
