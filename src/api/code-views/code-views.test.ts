import { createPrograms } from '../../adapters/programs/programs.ts'
import { codeViewsSuite } from './code-views.suite.ts'

const hg = (await createPrograms().found()).some(({ name }) => name === 'hg')
if (!hg && (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('hg')) throw new Error('hg is required for this run of the tests')
if (!hg) console.log('    hg is not installed: views are tried on git repositories only')

codeViewsSuite('What is shown by address, over SQLite', { kinds: hg ? ['git', 'hg'] : ['git'] })
