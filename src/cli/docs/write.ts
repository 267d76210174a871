import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configurationPage } from './configuration.ts'
import { errorsPage } from './errors.ts'
import { operationsPage } from './operations.ts'
import { workflowPluginsPage } from './workflow-plugins.ts'
import type { AnyOperation } from '../../core/operation/operation.ts'

/** Every generated document by its file name. A test holds the committed ones equal to these. */
function documents(operations: readonly AnyOperation[]): Readonly<Record<string, string>> {
  return {
    'operations.md': operationsPage(operations),
    'errors.md': errorsPage(),
    'configuration.md': configurationPage(),
    'workflow-plugins.md': workflowPluginsPage(),
  }
}

/** Writes them into a folder and gives the files' names. */
async function writeDocuments(folder: string, operations: readonly AnyOperation[]): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const entries = Object.entries(documents(operations))
  for (const [name, text] of entries) await writeFile(join(folder, name), text)
  return entries.map(([name]) => join(folder, name))
}

export { documents, writeDocuments }
