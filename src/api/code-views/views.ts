import { isFault } from '../../core/kernel/fault.ts'
import { goneSignal } from '../hosting/admit.ts'
import { readingsOf } from './address.ts'
import { sendArchive, sendFile, sendText, sendTextStream } from './answer.ts'
import { callerOf } from './authenticate.ts'
import { isDownloadsOff, isUnknownRevision, refuseFault, refuseHidden } from './errors.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Outlet } from '../../core/repository/outlet.ts'
import type { Call } from '../../core/operation/invoke.ts'
import type { ApiHost } from '../api.ts'
import type { Reading, View } from './address.ts'

const archiveTypes = {
  zip: 'application/zip',
  'tar.gz': 'application/x-gzip',
  'tar.bz2': 'application/x-bzip2',
  tar: 'application/x-tar',
} as const

/** Answers a request for a view of a repository. */
async function handleView(request: FastifyRequest, reply: FastifyReply, host: ApiHost): Promise<unknown> {
  const readings = readingsOf(request.raw.url ?? '')
  // What the server itself answers is nobody's repository.
  const [first] = readings
  if (!first || host.settings.reservedSegments.has(first.repository.split('/')[0] ?? '')) return reply.callNotFound()
  try {
    const call = await callerOf(request, host)
    if (!call) return sendText(reply, 403, 'Forbidden\n')
    const found = await locate(host, call, readings)
    if (!found) return refuseHidden(reply, { signedIn: call.principal.kind !== 'anonymous' })
    await show(reply, host, { ...call, signal: goneSignal(reply) }, found)
    return reply
  } catch (error) {
    // What is no fault is a defect: the host logs it and answers. Beyond the first byte there is nothing left to say.
    if (!isFault(error)) throw error
    return reply.sent ? reply : refuseFault(reply, error)
  }
}

type Found = { readonly id: string; readonly view: View }

async function locate(host: ApiHost, call: Call, readings: readonly Reading[]): Promise<Found | null> {
  for (const { repository, view } of readings) {
    try {
      const { id } = await host.invoke<{ id: string }>(call, 'repository.locate', { path: repository })
      return { id, view }
    } catch (error) {
      if (!isFault(error) || !['not_found', 'unauthenticated'].includes(error.code)) throw error
    }
  }
  return null
}

async function show(reply: FastifyReply, host: ApiHost, call: Call, { id, view }: Found): Promise<void> {
  const run = (operation: string, input: object, outlet: Outlet) => host.invoke(call, operation, { repository: id, ...input, outlet: () => outlet })
  const { revision } = view
  switch (view.kind) {
    case 'raw':
      await run('repository.read-file', { revision, path: view.path }, (delivery, body) => sendFile(reply, delivery, body))
      return
    case 'difference':
      await run('repository.get-diff', { revision, form: view.form }, (delivery, body) => sendTextStream(reply, delivery, body))
      return
    case 'archive':
      await showArchive(reply, host, call, id, view)
  }
}

type ArchiveView = Extract<View, { kind: 'archive' }>

// These texts come with status 200 (contract §12.5); whether downloads are on is said before anything else.
async function showArchive(reply: FastifyReply, host: ApiHost, call: Call, id: string, { revision, format }: ArchiveView): Promise<void> {
  if (format === null) {
    const { downloads } = await host.invoke<{ downloads: boolean }>(call, 'repository.get', { repository: id })
    sendText(reply, 200, downloads ? 'Unknown archive type' : 'Downloads disabled')
    return
  }
  const outlet: Outlet = (delivery, body) => sendArchive(reply, archiveTypes[format], delivery, body)
  try {
    await host.invoke(call, 'repository.archive', { repository: id, revision, format, outlet: () => outlet })
  } catch (error) {
    if (!isFault(error) || reply.sent) throw error
    if (isDownloadsOff(error)) sendText(reply, 200, 'Downloads disabled')
    else if (isUnknownRevision(error)) sendText(reply, 200, `Unknown revision ${revision}`)
    else throw error
  }
}

export { handleView }
