import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { admin, call } from './servers.ts'

/** Makes a repository on a server, with these files as its one commit. */
export async function pushRepository(
  server: { port: number; token: string; folder: string },
  path: string,
  files: Readonly<Record<string, string | object>>,
) {
  const { port, token, folder } = server
  await call(port, 'repository.create', { path }, token)
  const copy = join(folder, 'copies', path)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(copy, name)), { recursive: true })
    writeFileSync(join(copy, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@bench.test']
  const git = (...args: string[]) => execFileSync('git', [...identity, ...args], { cwd: copy, stdio: ['ignore', 'ignore', 'pipe'] })
  git('init', '-q', '-b', 'master')
  git('add', '-A')
  git('commit', '-q', '-m', path)
  git('push', '-q', `http://${admin.name}:${encodeURIComponent(admin.password)}@127.0.0.1:${port}/${path}`, 'master')
}
