import { asIs, BadArgument, object, optional, required, text } from '../argument.ts'
import { isObject } from '../../../core/kernel/json.ts'
import { encodeMoment } from '../encode.ts'
import { absent } from '../errors.ts'
import { locateUser, referenceOf } from '../locate.ts'
import { defineMethod } from '../method.ts'
import type { GistView } from '../../../core/gist/view.ts'
import type { Json } from '../../../core/kernel/json.ts'
import type { AnyMethod, MethodCall } from '../method.ts'

const absentGist = absent('gist', 'gist `{gistid}` does not exist')

/** A gist (contract §3.7). */
function encodeGist(it: GistView) {
  return {
    gist_id: it.serial,
    type: it.public ? 'public' : 'private',
    access_id: it.access_id,
    description: it.description,
    url: it.url,
    expires: it.expires_at === null ? -1 : Date.parse(it.expires_at) / 1000,
    created_on: encodeMoment(it.created_at),
  }
}

const getGist = defineMethod({
  name: 'get_gist',
  args: { gistid: required(asIs) },
  caller: 'anybody',
  operations: ['gist.describe'],
  errors: [absentGist],
  run: async (call, { gistid }) => encodeGist(await call.invoke<GistView>('gist.describe', { gist: referenceOf('gist', gistid) })),
})

const getGists = defineMethod({
  name: 'get_gists',
  args: { userid: optional(asIs, null) },
  caller: 'anybody',
  operations: ['session.get', 'user.locate', 'gist.list'],
  errors: [absent('user', 'user `{userid}` does not exist')],
  async run(call, { userid }) {
    const own = await caller(call)
    // As in get_user: nobody but an administrator may name anybody, and themselves only as the small number.
    if (!call.administrator && userid !== null && userid !== own.serial) call.refuse('userid is not the same as your user')
    const { id } = userid === null ? own : await locateUser(call, userid)
    return (await call.all<GistView>('gist.list', { owner: id })).map(encodeGist)
  },
})

const createGist = defineMethod({
  name: 'create_gist',
  args: {
    files: required(object),
    owner: optional(asIs, null),
    gist_type: optional(text, 'public'),
    lifetime: optional(asIs, -1),
    description: optional(text, ''),
  },
  caller: 'anybody',
  operations: ['session.get', 'user.locate', 'gist.create'],
  errors: [absent('user', 'user `{owner}` does not exist')],
  failed: 'failed to create gist',
  async run(call, args) {
    const owner = args.owner === null ? null : await locateUser(call, args.owner)
    if (owner && !call.administrator && owner.id !== (await caller(call)).id) call.refuse('Only Kallithea admin can specify `owner` param')
    const { gist_type, description } = args
    if (gist_type !== 'public' && gist_type !== 'private') throw new BadArgument()
    const lifetime = minutesOf(args.lifetime)
    const gist = await call.invoke<GistView>('gist.create', {
      files: Object.entries(args.files).map(([name, file]) => ({ name, text: contentOf(file) })),
      public: gist_type === 'public',
      description,
      ...(lifetime === null ? {} : { lifetime_minutes: lifetime }),
      ...(owner && { owner: owner.id }),
    })
    return { msg: 'created new gist', gist: encodeGist(gist) }
  },
})

const deleteGist = defineMethod({
  name: 'delete_gist',
  args: { gistid: required(asIs) },
  caller: 'anybody',
  operations: ['gist.describe', 'gist.delete'],
  errors: [absentGist],
  failed: 'failed to delete gist ID:{access_id}',
  async run(call, { gistid }) {
    const { id, access_id } = await call.invoke<GistView>('gist.describe', { gist: referenceOf('gist', gistid) })
    call.know({ access_id })
    await call.invoke('gist.delete', { gist: id })
    return { msg: call.say('deleted gist ID:{access_id}'), gist: null }
  },
})

/** Contract §9. */
const gistMethods: readonly AnyMethod[] = [getGist, getGists, createGist, deleteGist]

async function caller(call: MethodCall): Promise<{ id: string; serial: number }> {
  return (await call.invoke<{ user: { id: string; serial: number } }>('session.get', {})).user
}

function contentOf(file: Json): string {
  const content = isObject(file) && Object.hasOwn(file, 'content') ? (file as Record<string, Json>).content : null // it came out of JSON
  if (typeof content !== 'string') throw new BadArgument()
  return content
}

// A thousand years: beyond that the moment could not be written down any more.
const mostMinutes = 525_600_000

/** The minutes until a gist is gone, 0 for what is over already; null for ever: -1, and whatever cannot be read (contract §9). */
function minutesOf(given: Json): number | null {
  const number = typeof given === 'string' && /^\s*[+-]?\d+\s*$/.test(given) ? Number(given) : given
  if (typeof number !== 'number' || !Number.isFinite(number)) return null
  const minutes = Math.trunc(number)
  return minutes === -1 ? null : Math.min(mostMinutes, Math.max(0, minutes))
}

export { gistMethods }
