import { readableBySerial, readablePage } from '../../access/held.ts'
import { fault } from '../../kernel/fault.ts'
import { viewPage } from '../../kernel/page.ts'
import { Closed, OneOf, PageOf, Type, listMembers } from '../../kernel/schema.ts'
import { defineOperation } from '../../operation/operation.ts'
import { refuseWhileUsed } from '../active-uses.ts'
import { builtinPlugins } from '../builtin/all.ts'
import { installPlugin } from './install.ts'
import { pluginRecordOf } from './record.ts'
import { usersOfPlugin } from './uses.ts'
import { Plugin, viewBuiltin, viewPlugin } from './view.ts'
import type { AnyOperation, SubjectRule } from '../../operation/operation.ts'
import type { BuiltinPlugin } from '../builtin/builtin.ts'
import type { Origin } from './install.ts'

const pluginMember = Type.String({ maxLength: 300, description: '`<vendor>/<name>/<version>`, or its id.' })
const example = { plugin: 'example/tickets/1.0.0' }

const install = defineOperation({
  name: 'plugin.install',
  summary: 'Installs a plugin from a folder below the plugin root, from an archive or from an image, and gives it.',
  description: 'Exactly one of `path`, `archive` and `image`. What a plugin in Python requires is installed with it, which can take minutes.',
  input: Closed({
    path: Type.Optional(Type.String({ maxLength: 4096, description: 'A folder: relative to the plugin root, or absolute inside of it.' })),
    archive: Type.Optional(Type.String({ description: 'A .tar.gz or a .zip of the package in base64; as large as a request may be.' })),
    image: Type.Optional(Type.String({ maxLength: 500, description: 'An image; needs `spec` and a Docker engine.' })),
    spec: Type.Optional(Type.String({ description: 'The text of plugin.spec.yaml. With a folder or archive it must name the same plugin.' })),
    mode: Type.Optional(OneOf(['warm', 'cold'], { description: '`warm` (when left out): its process stays for the next call, where it can.' })),
  }),
  output: Plugin,
  access: { system: 'plugin.modify' },
  subjects: {},
  effect: 'act',
  deadlineMs: 20 * 60 * 1000,
  audit: {
    subject: (input, output) => `plugin:${output?.name ?? input.path ?? input.image ?? ''}`,
    subjectId: (_, output) => output?.id ?? null,
    detail: ({ path, image }) => ({ from: path ?? image ?? 'archive' }),
  },
  example: { path: 'tickets' },
  async run(ctx, input) {
    const options = { mode: input.mode ?? 'warm', expected: input.image === undefined ? (input.spec ?? null) : null }
    return viewPlugin(await installPlugin(ctx, originOf(input), options))
  },
})

const list = defineOperation({
  name: 'plugin.list',
  summary: 'Plugins, by name: first those that are part of the server, then the installed ones that the caller may see.',
  input: Closed({
    serial: Type.Optional(Type.Integer({ minimum: 1, description: 'Only the installed one of this number.' })),
    search: Type.Optional(Type.String({ maxLength: 200 })),
    ...listMembers,
  }),
  output: PageOf(Plugin),
  access: 'signed-in',
  subjects: {},
  effect: 'read',
  audit: 'none',
  example: { limit: 20 },
  async run(ctx, input) {
    if (input.serial !== undefined) {
      const row = await readableBySerial(ctx, 'plugin', input.serial)
      return { items: row ? [await viewPlugin(row)] : [], next: null }
    }
    const filter = { kind: 'plugin', ...(input.search ? { search: input.search } : {}) } as const
    const search = (input.search ?? '').toLowerCase()
    const own = input.cursor ? [] : builtinPlugins.filter((plugin) => nameOf(plugin).toLowerCase().includes(search))
    return viewPage(readablePage(ctx, filter, input), (rows) => Promise.all([...own.map(viewBuiltin), ...rows.map(viewPlugin)]))
  },
})

const get = defineOperation({
  name: 'plugin.get',
  summary: 'One plugin with the schemas of its connection, actions, triggers and tasks.',
  input: Closed({ plugin: pluginMember }),
  output: Plugin,
  access: 'signed-in',
  subjects: { plugin: onPlugin('read') },
  effect: 'read',
  audit: 'none',
  example,
  async run(_, input, found) {
    const builtin = builtinOf(input.plugin)
    return builtin ? viewBuiltin(builtin) : viewPlugin(found.plugin.row)
  },
})

const remove = defineOperation({
  name: 'plugin.delete',
  summary: 'Removes an installed plugin with what was made for it; not while an active workflow uses it.',
  input: Closed({ plugin: pluginMember }),
  output: Closed({ id: Type.String(), name: Type.String() }),
  access: { system: 'plugin.modify' },
  subjects: { plugin: onPlugin('read') },
  effect: 'act',
  audit: { subject: (input, output) => `plugin:${output?.name ?? input.plugin}`, subjectId: (_, output) => output?.id ?? null },
  example,
  async run(ctx, input, found) {
    const builtin = builtinOf(input.plugin)
    if (builtin)
      throw fault('state_conflict', {
        what: `The plugin ${nameOf(builtin)}`,
        state: 'part of the server',
        next: 'Only installed plugins can be removed.',
      })
    const { id, name, ...row } = found.plugin.row
    const record = pluginRecordOf(row)
    await refuseWhileUsed(ctx, `The plugin ${name}`, usersOfPlugin(record))
    await ctx.write(async (write) => {
      await write.db.resources.markDeleted(id, ctx.clock.now())
      write.emit({ kind: 'plugin', id, name, state: 'deleted', resource_id: id })
    })
    await ctx.services.plugins.forget(record)
    return { id, name }
  },
})

type InstallInput = { path?: string; archive?: string; image?: string; spec?: string }

function originOf({ path, archive, image, spec }: InstallInput): Origin {
  const given = [path, archive, image].filter((one) => one !== undefined)
  if (given.length !== 1) throw fault('malformed_request', { why: 'exactly one of "path", "archive" and "image" is wanted' })
  if (path !== undefined) return { kind: 'path', path }
  if (archive !== undefined) return { kind: 'archive', bytes: Buffer.from(archive, 'base64') }
  if (spec === undefined) throw fault('malformed_request', { why: 'an image needs the text of its "spec"' })
  return { kind: 'image', image: image ?? '', spec }
}

/** Plugins of the server are no resources: everybody who is signed in may see them. */
function onPlugin(need: 'read'): SubjectRule<{ plugin: string }, 'plugin'> {
  return { kind: 'plugin', need, member: 'plugin', reference: ({ plugin }) => (builtinOf(plugin) ? undefined : plugin) }
}

function builtinOf(reference: string): BuiltinPlugin | null {
  return builtinPlugins.find((plugin) => nameOf(plugin) === reference) ?? null
}

function nameOf({ vendor, name, version }: BuiltinPlugin): string {
  return `${vendor}/${name}/${version}`
}

const pluginOperations: readonly AnyOperation[] = [install, list, get, remove]

export { pluginOperations }
