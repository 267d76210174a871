import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'

export type HeldBranch = {
  /** Lets whoever reads the branch just now go on, and all that come later. */
  release(): void
}

/** Makes everybody who reads a branch of the storage in `folder` wait. */
export function holdBranch(folder: string, branch = 'master'): HeldBranch {
  const path = join(folder, 'refs/heads', branch)
  const aside = `${path}.lock`
  const text = readFileSync(path, 'utf8')
  renameSync(path, aside)
  // Opening a pipe that nobody writes waits, and so does every read of it.
  const made = spawnSync('mkfifo', [path])
  if (made.status !== 0) throw new Error(`mkfifo: ${made.stderr}`)
  return {
    release() {
      const pipe = openSync(path, 'r+')
      renameSync(aside, path)
      writeSync(pipe, text)
      closeSync(pipe)
    },
  }
}
