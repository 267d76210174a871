import { constants, mkdirSync } from 'node:fs'
import { lstat, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { TemplateTooLarge, TemplatesUnreadable } from '../../ports/template-store.ts'
import type { TemplateKind, TemplateStore } from '../../ports/template-store.ts'

// Far more than people keep. Bounds for what somebody may have put there by mistake.
const mostFiles = 10_000
const deepest = 16

/** Templates in the folders `task` and `pipeline` of `root`, which are made where they are missing. Links are never followed, whoever made them. */
function createFolderTemplates({ root }: { root: string }): TemplateStore {
  // There from the first start, so that an operator finds where templates go.
  for (const kind of ['task', 'pipeline']) mkdirSync(join(root, kind), { recursive: true, mode: 0o700 })
  return {
    async list(kind) {
      try {
        await mkdir(join(root, kind), { recursive: true, mode: 0o700 })
        return await filesBelow(join(root, kind))
      } catch (error) {
        throw new TemplatesUnreadable('The folder of the templates cannot be read', { cause: error })
      }
    },
    async read(kind, path, { limit }) {
      const file = await plainFile(root, kind, path)
      return file === null ? null : readUpTo(file, limit)
    },
  }
}

async function filesBelow(root: string): Promise<string[]> {
  const found: string[] = []
  const open: { path: string; depth: number }[] = [{ path: '', depth: 0 }]
  for (let next = open.pop(); next !== undefined && found.length < mostFiles; next = open.pop()) {
    for (const entry of await readdir(join(root, next.path), { withFileTypes: true })) {
      const path = next.path === '' ? entry.name : `${next.path}/${entry.name}`
      if (entry.isFile()) found.push(path)
      else if (entry.isDirectory() && next.depth < deepest) open.push({ path, depth: next.depth + 1 })
    }
  }
  return found.slice(0, mostFiles)
}

// Each part on its own, because the kernel follows links in all but the last.
async function plainFile(root: string, kind: TemplateKind, path: string): Promise<string | null> {
  const parts = path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'))) return null
  let here = join(root, kind)
  for (const [at, part] of parts.entries()) {
    here = join(here, part)
    const found = await lstat(here).catch(refuseMissing)
    if (!(at === parts.length - 1 ? found?.isFile() : found?.isDirectory())) return null
  }
  return here
}

async function readUpTo(file: string, limit: number): Promise<Uint8Array | null> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(refuseMissing)
  if (!handle) return null
  try {
    const { size } = await handle.stat()
    if (size > limit) throw new TemplateTooLarge(`A template is larger than ${limit} bytes`)
    const bytes = Buffer.alloc(size)
    const { bytesRead } = await handle.read(bytes, 0, size, 0)
    return bytes.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

function refuseMissing(error: NodeJS.ErrnoException): null {
  if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(error.code ?? '')) return null
  throw new TemplatesUnreadable('A template cannot be read', { cause: error })
}

export { createFolderTemplates }
