import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Compiling what was compiled at the last start takes a third of the time until the first answer. Where the folder cannot be written, nothing is kept.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'capstan'))

const { run } = await import('./cli/run.ts')
process.exitCode = await run(process.argv.slice(2), {
  app: () => import('./app.ts'),
  operations: async () => (await import('./core/operations.ts')).operations,
})
