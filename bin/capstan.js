#!/usr/bin/env node
// Plain JavaScript that every node can read, so that an old one is told what to do instead of failing at syntax.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)
const program = new URL('../dist/main.js', import.meta.url)

if (major < 24 || (major === 24 && minor < 11)) {
  console.error(
    `Capstan needs Node 24.11 or newer, and this is ${process.version}. Run it with "npx capstan", which takes the one that npm install put here.`,
  )
  process.exit(1)
}
if (!existsSync(fileURLToPath(program))) {
  console.error('Capstan is not built yet. Run "npm install" in its folder first.')
  process.exit(1)
}
await import(program.href)
