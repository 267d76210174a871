import { isJsonObject, memberOf, textMember } from '../../document/members.ts'
import { ActionFailed, builtinPlugin } from '../builtin.ts'
import { listInput, numberInput, onlyGiven } from '../input.ts'
import { asStarter } from '../operation.ts'
import { listLimit } from '../size.ts'
import { gitSpec } from './spec.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'
import type { BuiltinContext } from '../builtin.ts'

/** Our own repositories. A commit that a restart cut off is not repeated: it could be there twice. */
const gitPlugin = builtinPlugin('git', gitSpec, {
  read_file: {
    repeatable: true,
    async run(context, input) {
      const found = await asStarter(context, 'repository.get-file', given(input, 'repository', 'path', 'revision'))
      return { content: found.content ?? '', encoding: found.encoding ?? '', size: found.size ?? 0, commit: found.revision ?? '' }
    },
  },
  list_files: { repeatable: true, run: listFiles },
  list_commits: {
    repeatable: true,
    async run(context, input) {
      const limit = numberInput(input, 'limit')
      if (limit < 1 || limit > 1000) throw new ActionFailed('"limit" is a number from 1 to 1000')
      const { items } = await asStarter(context, 'repository.list-commits', { ...given(input, 'repository', 'revision'), limit })
      const commits = Array.isArray(items) ? items : []
      return { commits, count: commits.length }
    },
  },
  commit_files: {
    repeatable: false,
    async run(context, input) {
      const files = listInput(input, 'files').map(fileOf)
      const made = await asStarter(context, 'repository.commit-files', { ...given(input, 'repository', 'branch', 'parent', 'message'), files })
      return { commit: made.commit ?? '', branch: made.branch ?? '', parent: made.parent ?? '' }
    },
  },
})

async function listFiles(context: BuiltinContext, input: JsonObject): Promise<JsonObject> {
  const asked = { ...given(input, 'repository', 'path', 'revision'), recursive: memberOf(input, 'recursive') === true, limit: 1000 }
  const files: Json[] = []
  let cursor: Json | undefined
  let commit = ''
  do {
    const page = await asStarter(context, 'repository.list-files', { ...asked, ...onlyGiven({ cursor }) })
    for (const item of Array.isArray(page.items) ? page.items : [])
      if (isJsonObject(item))
        files.push({ path: textMember(item, 'path'), type: textMember(item, 'type'), ...onlyGiven({ size: memberOf(item, 'size') }) })
    if (files.length > listLimit) throw new ActionFailed(`There are more than ${listLimit} files; list a folder of it`)
    commit = textMember(page, 'revision')
    cursor = page.next
  } while (typeof cursor === 'string')
  return { files, count: files.length, commit }
}

function given(input: JsonObject, ...names: readonly string[]): JsonObject {
  return onlyGiven(Object.fromEntries(names.map((name) => [name, memberOf(input, name)])))
}

/** A file as the operation wants it. One without content would be deleted, so that has to be said. */
function fileOf(file: Json): JsonObject {
  if (!isJsonObject(file)) throw new ActionFailed('Each of "files" is an object with a path')
  const path = textMember(file, 'path')
  const [text, base64] = [memberOf(file, 'text'), memberOf(file, 'base64')]
  if (memberOf(file, 'delete') === true) return { path }
  if (text === undefined && base64 === undefined) throw new ActionFailed(`The file "${path.slice(0, 200)}" has no content; "delete" removes one`)
  const executable = memberOf(file, 'executable') === true ? { executable: true } : {}
  return { path, ...(text === undefined ? { base64: base64 ?? '' } : { text }), ...executable }
}

export { gitPlugin }
