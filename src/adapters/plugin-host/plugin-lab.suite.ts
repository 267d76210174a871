import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/kernel/clock.ts'
import { silentLog } from '../../core/kernel/log.ts'
import { createEgress } from '../egress/egress.ts'
import { createEgressProxy } from '../egress/proxy.ts'
import { createPluginHost } from './host.ts'
import type { InstalledPlugin, PluginAnswer, PluginCall } from '../../ports/plugin-host.ts'
import type { HostOptions, ProcessPluginHost } from './host.ts'

// Helpers of this folder's tests.

/** A host over a folder of its own, with a data folder that holds a secret which no plugin may see. */
type PluginLab = {
  readonly home: string
  readonly root: string
  readonly host: ProcessPluginHost
  /** Lays a package whose entry point is this text. */
  script(name: string, text: string, more?: Readonly<Record<string, string>>): InstalledPlugin
  /** Lays one of the sample plugins. */
  sample(name: string): InstalledPlugin
  act(plugin: InstalledPlugin, change?: Partial<PluginCall>, signal?: AbortSignal): Promise<PluginAnswer>
  close(): Promise<void>
}

const secretText = 'canary-93be'
const samples = join(import.meta.dirname, '../../../examples/plugins')

async function openLab(change: Partial<HostOptions> & { allow?: readonly string[]; home?: string } = {}): Promise<PluginLab> {
  // Not below /tmp, which plugins have one of their own instead of: here only the masks hide it.
  const home = change.home ?? mkdtempSync('/var/tmp/capstan-plugins-')
  const data = join(home, 'data')
  const root = join(data, 'plugins')
  mkdirSync(root, { recursive: true })
  chmodSync(home, 0o711)
  chmodSync(data, 0o711)
  writeFileSync(join(data, 'secret'), secretText, { mode: 0o600 })
  const egressProxy = createEgressProxy({ egress: createEgress({ allow: change.allow ?? [] }), log: silentLog })
  const host = await createPluginHost({
    ...{
      root,
      work: join(data, 'plugin-work'),
      hide: [data],
      unsandboxed: false,
      egressProxy,
      clock: systemClock,
      log: silentLog,
      python: 'python3',
    },
    ...change,
  })
  const installed = (name: string): InstalledPlugin => ({
    ...{ vendor: 'test', name, version: '1.0.0', runtime: 'process', path: name, image: null, cache: false },
  })
  return {
    home,
    root,
    host,
    script(name, text, more = {}) {
      for (const [path, content] of Object.entries({
        'plugin.spec.yaml': `name: ${name}\nvendor: test\nversion: 1.0.0\n`,
        [`bin/icon_${name}`]: text,
        ...more,
      })) {
        const file = join(root, name, path)
        mkdirSync(join(file, '..'), { recursive: true })
        writeFileSync(file, content, { mode: 0o755 })
      }
      return installed(name)
    },
    sample(name) {
      cpSync(join(samples, name), join(root, name), { recursive: true })
      return { ...installed(name), vendor: 'example' }
    },
    act(plugin, call = {}, signal = new AbortController().signal) {
      const usual = { what: 'action', name: 'act', meta: {}, connection: null, input: {}, mode: 'cold', timeoutMs: 30_000 } as const
      return host.call({ plugin, ...usual, ...call }, { signal })
    },
    async close() {
      await host.close()
      await egressProxy.close()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** An entry point in shell that reads its message and then does this. */
function shell(text: string): string {
  return `#!/bin/sh\nmessage=$(cat)\n${text}\n`
}

/** A document that a plugin prints, as one word of a shell. */
function document(body: object): string {
  return `'${JSON.stringify({ version: 'v1', type: 'action_event', body: { log: '', meta: {}, ...body } })}'`
}

export type { PluginLab }
export { openLab, shell, document, secretText }
