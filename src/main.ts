import * as nodeModule from 'node:module'
import { join } from 'node:path'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
// With --ignore-scripts npm does not put the pinned node in place, and the machine's own runs this without a word.
if (major < 24 || (major === 24 && minor < 11)) {
  process.stderr.write(
    `Capstan needs Node 24.11 or newer, and this is ${process.version}. Run "npm install" without --ignore-scripts, then "npm start".\n`,
  )
  process.exit(1)
}

// Reading node:http as a module reads every name it exports, and these bring along a whole HTTP client that nothing here uses: 4 MiB for as long as the server runs.
const http = process.getBuiltinModule('node:http')
for (const name of ['WebSocket', 'CloseEvent', 'MessageEvent']) Reflect.deleteProperty(http, name)

// Compiling what was compiled at the last start takes a third of the time until the first answer. Where the folder cannot be written, nothing is kept.
nodeModule.enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'capstan'))

const { run } = await import('./cli/run.ts')
process.exitCode = await run(process.argv.slice(2), {
  app: () => import('./app.ts'),
  operations: async () => (await import('./core/operations.ts')).operations,
})
