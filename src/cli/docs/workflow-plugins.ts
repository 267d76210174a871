import { parse } from 'yaml'
import { builtinPlugins } from '../../core/workflow/builtin/all.ts'
import { isJsonObject, memberOf, objectMember, textMember } from '../../core/workflow/document/members.ts'
import { installedPlugins } from './installed-plugins.ts'
import { generated, table } from './markdown.ts'
import type { Json, JsonObject } from '../../core/kernel/json.ts'
import type { BuiltinPlugin } from '../../core/workflow/builtin/builtin.ts'

/** `docs/workflow-plugins.md`: from the specs of the plugins that are part of the server, and what there is to know of others. */
function workflowPluginsPage(): string {
  const own = builtinPlugins.filter(({ vendor }) => vendor === 'capstan')
  return `${generated}
# Plugins of workflows

First those that are part of the server; the [last part](#plugins-that-are-installed) is about those that are installed.

The first ones run without any install. A step names the vendor \`capstan\`, the plugin and the action; the version does not count. Types are strict: a number is no
text. An input that is left out has its default, or else the zero of its type. An input has at most 10 MiB, an output 32 MiB, a list that is made 100,000
elements. An action acts as whoever started the job, and may do what they may do.

After a restart of the server an action that was under way is done again where it says below that it *repeats*; any other fails. A step decides otherwise by
\`on_interrupt\`, which is \`repeat\` or \`fail\`; an action of an installed plugin repeats where its entry in \`plugin.spec.yaml\` has \`on_interrupt: repeat\`. One in command
line mode works on meanwhile, and neither is needed unless its process is gone. A step lasts at most five minutes unless it has a \`timeout\` in seconds; those that wait for runs last a day.

A path (\`host.name\`, \`items.0\`, \`items[0]\`, \`[a.b].c\`) names members and positions that a value has itself. The timers are there as \`rapid7/timers\` and
\`komand/timers\` as well. \`capstan/ask_approval\` asks a person for a yes or no; for other choices there is the step type
\`human_decision\`.

${own.map(pluginSection).join('\n')}
${installedPlugins}`
}

function pluginSection(plugin: BuiltinPlugin): string {
  const spec = parse(plugin.spec) as Json // a text of ours, held by tests
  if (!isJsonObject(spec)) throw new Error(`The spec of ${plugin.name} is no map`)
  const actions = Object.entries(objectMember(spec, 'actions')).map(([name, raw]) => {
    const repeats = plugin.actions.get(name)?.repeatable === true ? 'repeats after a restart' : 'does not repeat after a restart'
    return component(`\`${plugin.name}.${name}\``, raw, repeats)
  })
  const triggers = Object.entries(objectMember(spec, 'triggers')).map(([name, raw]) => component(`Trigger \`${plugin.name}.${name}\``, raw, ''))
  const connection = objectMember(spec, 'connection')
  const types = Object.entries(objectMember(spec, 'types'))
  return [
    `## ${plugin.name}\n\n${textMember(spec, 'description')}.\n`,
    ...(Object.keys(connection).length > 0 ? [`A connection may be named; it has these settings.\n\n${fields('setting', connection)}`] : []),
    ...actions,
    ...triggers,
    ...types.map(([name, members]) => `### Type \`${name}\`\n\n${fields('member', isJsonObject(members) ? members : {})}`),
  ].join('\n')
}

function component(title: string, raw: Json, repeats: string): string {
  const about = isJsonObject(raw) ? raw : {}
  const said = `${textMember(about, 'description')}${repeats === '' ? '' : `; ${repeats}`}.`
  const [input, output] = [objectMember(about, 'input'), objectMember(about, 'output')]
  const parts = [`### ${title}\n\n${said}\n`]
  if (Object.keys(input).length > 0) parts.push(fields('input', input))
  if (Object.keys(output).length > 0) parts.push(fields('output', output))
  return parts.join('\n')
}

function fields(what: string, members: JsonObject): string {
  const rows = Object.entries(members).map(([name, raw]) => {
    const field = isJsonObject(raw) ? raw : {}
    const words = memberOf(field, 'enum')
    const type = Array.isArray(words) ? words.map((word) => `\`${String(word)}\``).join(', ') : textMember(field, 'type')
    const usual = memberOf(field, 'default')
    const needed = memberOf(field, 'required') === true ? 'required' : usual === undefined || usual === null ? '' : `\`${String(usual)}\``
    return [`\`${name}\``, type, ...(what === 'output' ? [] : [needed]), textMember(field, 'description') || textMember(field, 'title')]
  })
  return table(what === 'output' ? [what, 'type', 'meaning'] : [what, 'type', 'default', 'meaning'], rows)
}

export { workflowPluginsPage }
