import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import type { Program, Programs } from '../../ports/programs.ts'

const folders = ['/usr/local/bin', '/usr/bin', '/bin', '/opt/homebrew/bin']
const asked = ['git', 'hg'] as const
const mostMs = 5000

/** Looks for git and hg where systems put them, and asks each for its version, without any environment. */
function createPrograms(): Programs {
  let found: Promise<readonly Program[]> | undefined
  const libraries = Object.entries(process.versions).flatMap(([name, version]) => (version ? [{ name, version }] : []))
  return {
    found() {
      found ??= Promise.all(asked.map(programNamed)).then((all) => all.filter((program) => program !== null))
      return found
    },
    libraries,
    platform: `${process.platform} ${process.arch}`,
  }
}

async function programNamed(name: string): Promise<Program | null> {
  for (const folder of folders) {
    const path = join(folder, name)
    try {
      await access(path, constants.X_OK)
    } catch {
      continue
    }
    const version = await versionOf(path)
    if (version !== null) return { name, version, path }
  }
  return null
}

function versionOf(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { env: { HGPLAIN: '1', HGRCPATH: '' }, cwd: '/', timeout: mostMs, maxBuffer: 64 * 1024 }, (error, stdout) => {
      resolve(error ? null : (/\d+(?:\.\d+)+/.exec(stdout)?.[0] ?? 'unknown'))
    })
  })
}

export { createPrograms }
