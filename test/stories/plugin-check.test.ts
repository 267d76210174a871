import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ran } from '../support/programs.ts'

// The story: somebody writes a plugin, and wants to know whether it will do before anybody installs it.

const root = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'capstan-check-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const required = (process.env.CAPSTAN_TEST_REQUIRE ?? '').split(',').includes('python')
const check = (path: string, env: Record<string, string> = {}) =>
  ran([process.execPath, join(root, 'src/main.ts'), 'plugin', 'check', path], { cwd: folder, env, timeoutMs: 600_000 })

test.each(['units', 'host_facts'])('the sample plugin "%s" holds what a plugin has to', async (name) => {
  const { code, out, err } = await check(join(root, 'examples/plugins', name))
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/^ok {4}spec: example\//)
  expect(out).not.toContain('FAIL')
  expect(out).toContain(name === 'units' ? 'http call of convert' : 'no http mode')
})

// Their runtimes come from a package index.
test.each(['wording', 'old_habits'])('so does the sample in Python "%s", in both modes', { timeout: 900_000 }, async (name) => {
  const { code, out, err } = await check(join(root, 'examples/plugins', name), { CAPSTAN_EGRESS_ALLOW: '0.0.0.0/0,::/0' })
  if (/cannot be installed/.test(out) && !required) return console.warn(`Left out: ${out}`)
  expect({ code, err, out }).toMatchObject({ code: 0, err: '' })
  expect(out).not.toContain('FAIL')
  expect(out).toContain(`http call of ${name === 'wording' ? 'count' : 'average'}`)
})

test('a package that answers nothing fails, and what fails is named', async () => {
  mkdirSync(join(folder, 'mute/bin'), { recursive: true })
  writeFileSync(
    join(folder, 'mute/bin/icon_mute'),
    '#!/bin/sh\nif [ "$1" = sample ]; then echo \'{"type":"action_start","body":{"action":"act"}}\'; fi\n',
  )
  writeFileSync(
    join(folder, 'mute/plugin.spec.yaml'),
    'name: mute\nvendor: test\nversion: 1.0.0\nactions:\n  act: { input: { text: { type: string, required: true } } }\n',
  )
  const { code, out } = await check('mute')
  expect(code).toBe(1)
  expect(out).toMatch(/^FAIL {2}info: it ended with 0 and said 0 letters$/m)
  expect(out).toMatch(/^ok {4}sample act$/m)
  expect(out).toMatch(/^FAIL {2}run of act: it ended with 0 and gave no answer/m)
})

test('a folder that is no package is refused', async () => {
  const { code, out } = await check('nowhere')
  expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining('FAIL  package: There is no such folder') })
})
