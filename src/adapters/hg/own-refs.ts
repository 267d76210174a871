import { open, readFile, rename } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { codeOf } from '../code/folders.ts'
import { storageError, syncFolder } from './storage.ts'

/**
 * Names of ours that Mercurial has no place for: which branch is the default one, and the heads of pull requests. One small file beside Mercurial's own, a
 * line each, replaced as a whole.
 */
type OwnRefs = {
  read(directory: string): Promise<ReadonlyMap<string, string>>
  /** Changes it, one after the other for one repository. Gives what `change` gives. */
  update<T>(directory: string, change: (refs: Map<string, string>) => T): Promise<T>
}

const fileName = '.hg/capstan-refs'

function createOwnRefs(): OwnRefs {
  const last = new Map<string, Promise<unknown>>()

  async function read(directory: string): Promise<Map<string, string>> {
    try {
      const lines = (await readFile(`${directory}/${fileName}`, 'utf8')).split('\n').filter((line) => line.includes(' '))
      return new Map(lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return new Map()
      throw storageError(error)
    }
  }

  async function write(directory: string, refs: ReadonlyMap<string, string>): Promise<void> {
    const draft = `${directory}/${fileName}.${randomBytes(6).toString('hex')}`
    try {
      const file = await open(draft, 'wx', 0o600)
      try {
        await file.writeFile([...refs].map(([name, value]) => `${name} ${value}\n`).join(''))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(draft, `${directory}/${fileName}`)
      await syncFolder(`${directory}/.hg`)
    } catch (error) {
      throw storageError(error)
    }
  }

  return {
    read,
    async update(directory, change) {
      const before = last.get(directory) ?? Promise.resolve()
      const mine = before
        .catch(() => {})
        .then(async () => {
          const refs = await read(directory)
          const was = JSON.stringify([...refs])
          const result = change(refs)
          if (JSON.stringify([...refs]) !== was) await write(directory, refs)
          return result
        })
      last.set(directory, mine)
      try {
        return await mine
      } finally {
        if (last.get(directory) === mine) last.delete(directory)
      }
    },
  }
}

export type { OwnRefs }
export { createOwnRefs }
