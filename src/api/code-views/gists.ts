import { isFault } from '../../core/kernel/fault.ts'
import { sendText } from './answer.ts'
import { callerOf } from './authenticate.ts'
import { refuseFault, refuseHidden } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiHost } from '../api.ts'

type Params = { readonly access_id: string; readonly revision?: string; readonly file?: string }
type Gist = { readonly files: readonly { readonly name: string; readonly text: string }[] }

/** Answers a request for the text of a gist: all files of a version with a blank line between, or one (contract §12.6). `tip` is the newest. */
async function handleGist(request: FastifyRequest, reply: FastifyReply, host: ApiHost): Promise<FastifyReply> {
  const { access_id, revision = 'tip', file } = request.params as Params // as its routes name them
  try {
    const call = await callerOf(request, host)
    if (!call) return sendText(reply, 403, 'Forbidden\n')
    if (call.principal.closed) return refuseHidden(reply, { signedIn: false })
    const wanted = /^[1-9]\d{0,8}$/.test(revision) ? { revision: Number(revision) } : revision === 'tip' ? {} : null
    // Only what it is named by: a reference of another form would be another way in.
    if (!wanted || !/^(?:[1-9]\d{0,14}|[A-Za-z2-9]{20})$/.test(access_id)) return refuseHidden(reply, { signedIn: true })
    const { files } = await host.invoke<Gist>(call, 'gist.get', { gist: access_id, ...wanted })
    const texts = files.filter(({ name }) => file === undefined || name === file).map(({ text }) => text)
    if (file !== undefined && texts.length === 0) return refuseHidden(reply, { signedIn: true })
    return sendText(reply, 200, texts.join('\n\n'))
  } catch (error) {
    if (!isFault(error)) throw error
    return error.code === 'not_found' ? refuseHidden(reply, { signedIn: true }) : refuseFault(reply, error)
  }
}

export { handleGist }
