import { arrayPlugin } from './array/plugin.ts'
import { base64Plugin } from './base64/plugin.ts'
import { capstanPlugin } from './capstan/plugin.ts'
import { csvPlugin } from './csv/plugin.ts'
import { datePlugin } from './date/plugin.ts'
import { gitPlugin } from './git/plugin.ts'
import { hashPlugin } from './hash/plugin.ts'
import { httpPlugin } from './http/plugin.ts'
import { jsonPlugin } from './json/plugin.ts'
import { mailPlugin } from './mail/plugin.ts'
import { regexPlugin } from './regex/plugin.ts'
import { stringPlugin } from './string/plugin.ts'
import { timersByOthers, timersPlugin } from './timers/plugin.ts'
import type { WorkflowPlugin } from '../document/model.ts'
import type { BuiltinPlugin } from './builtin.ts'

/** Every plugin that is part of the server. A new one is a file of actions, a spec and a line here. */
const builtinPlugins: readonly BuiltinPlugin[] = [
  arrayPlugin,
  base64Plugin,
  capstanPlugin,
  csvPlugin,
  datePlugin,
  gitPlugin,
  hashPlugin,
  httpPlugin,
  jsonPlugin,
  mailPlugin,
  regexPlugin,
  stringPlugin,
  timersPlugin,
  ...timersByOthers,
]

/** The plugin of the server's own that is meant; null when it is none. The version does not count. */
function builtinAt({ vendor, name }: Pick<WorkflowPlugin, 'vendor' | 'name'>): BuiltinPlugin | null {
  return builtinPlugins.find((plugin) => plugin.vendor === vendor && plugin.name === name) ?? null
}

export { builtinPlugins, builtinAt }
