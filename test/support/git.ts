import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ran } from './programs.ts'
import type { Ran } from './programs.ts'

/** Files of a commit: text, JSON, or where a link leads to. */
export type Tree = Readonly<Record<string, string | object | { readonly link: string }>>

const identity = {
  GIT_AUTHOR_NAME: 'test',
  GIT_AUTHOR_EMAIL: 'test@lab.test',
  GIT_COMMITTER_NAME: 'test',
  GIT_COMMITTER_EMAIL: 'test@lab.test',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
}

/** Runs git as a person does, without anything of this machine's configuration. */
export function git(cwd: string, args: readonly string[]): Promise<Ran> {
  return ran(['git', ...args], { cwd, env: identity })
}

/** A git address with a login in it. */
export function gitUrl(server: string, path: string, login?: { name: string; password: string }): string {
  const url = new URL(`${server}/${path}`)
  if (login) {
    url.username = encodeURIComponent(login.name)
    url.password = encodeURIComponent(login.password)
  }
  return url.href
}

/** Pushes one commit with just these files over whatever the branch holds; gives what the push said. */
export async function pushTree(url: string, tree: Tree, branch = 'master'): Promise<Ran> {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-push-'))
  try {
    await writeTree(folder, tree)
    await git(folder, ['init', '-q', '-b', branch])
    await git(folder, ['add', '-A'])
    const committed = await git(folder, ['commit', '-q', '--allow-empty', '-m', 'files'])
    if (committed.code !== 0) return committed
    return await git(folder, ['push', '-q', '-f', url, `HEAD:refs/heads/${branch}`])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeTree(folder: string, tree: Tree): Promise<void> {
  for (const [path, content] of Object.entries(tree)) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    if (typeof content === 'object' && 'link' in content && typeof content.link === 'string') await symlink(content.link, file)
    else await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
    if (path.endsWith('.sh')) await chmod(file, 0o755)
  }
}

/** A task of one shell script, as files of a repository. */
export function shellTask(name: string, script: string, more: object = {}): Tree {
  return {
    [`${name}/manifest.json`]: { type: 'job', name, cmd: ['/bin/sh', '/code/run.sh'], ...more },
    [`${name}/code/run.sh`]: script,
  }
}
