import { mkdir, writeFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { protocolVariable } from './environment.ts'
import { openLab } from './git-lab.suite.ts'

afterEach(() => {
  delete process.env.CAPSTAN_CANARY
})

test('a git process sees nothing of the environment of the server', async () => {
  process.env.CAPSTAN_CANARY = 'hush-4711'
  const { home } = await openLab()
  await mkdir(`${home}/bin`)
  // Stands in for git: what it was given is what any git of ours is given.
  await writeFile(`${home}/bin/git`, `#!/bin/sh\nenv > ${home}/seen\nexec /usr/bin/git "$@"\n`, { mode: 0o755 })
  const { git } = await openLab({ searchPath: `${home}/bin:/usr/bin:/bin` })
  await git.create('r')
  await git.refs('r')
  const { readFile } = await import('node:fs/promises')
  const seen = await readFile(`${home}/seen`, 'utf8')
  expect(seen).not.toContain('hush-4711')
  const names = seen
    .split('\n')
    .map((line) => line.split('=')[0] ?? '')
    .filter((name) => !/^GIT_|^(PATH|HOME|LANG|LC_ALL|SSH_ASKPASS|CAPSTAN_GIT_ROOT|PWD|OLDPWD|SHLVL|_|)$/.test(name))
  expect(names).toEqual([])
})

test('the protocol header reaches git only in its published form', () => {
  for (const header of ['version=0', 'version=1', 'version=2', 'version=2:key=value', 'version=2:flag'])
    expect(protocolVariable(header), header).toEqual({ GIT_PROTOCOL: header })
  for (const header of [null, '', 'version=3', 'version=2;x', 'version=2\n', 'x=1:version=2', 'version=2:$(id)', `version=2:${'x'.repeat(300)}`])
    expect(protocolVariable(header), String(header)).toEqual({})
})
