import { defineConfig } from 'rolldown'

// What is started by itself, as a process or in a thread, is an entry of its own and keeps its place: `ownProgram` of src/core/kernel/own-file.ts finds it there.
const programs = [
  'main',
  'adapters/password/bcrypt-worker',
  'adapters/patterns/patterns-worker',
  'adapters/plugin-host/relay',
  'adapters/runtime/process/spawner',
  'adapters/store/sqlite/maintenance-worker',
]

/**
 * Joins our modules to few files: reading 800 of them took half of the start and a tenth of the memory (decision 0018). Packages stay where npm put them, and
 * what is imported when first needed stays apart.
 */
export default defineConfig({
  input: Object.fromEntries(programs.map((name) => [name, `src/${name}.ts`])),
  platform: 'node',
  external: /^[^./]/,
  output: { dir: 'dist', format: 'esm', cleanDir: true, comments: false, chunkFileNames: 'parts/[name].js' },
})
