import { isObject } from '../core/kernel/json.ts'
import { CommandFailure } from './exit.ts'
import { findTask } from './find-task.ts'
import { oneLine, safeJson } from './terminal.ts'
import type { Server } from './client.ts'
import type { Terminal } from './terminal.ts'

/** Prints the address of a service at the gateway, and with `browser` opens it where there is a browser. */
async function openService(terminal: Terminal, server: Server, reference: string, options: { browser: boolean; json: boolean }): Promise<void> {
  const { name, namespace, type, output } = await findTask(server, reference, { types: ['service'] })
  const what = `${oneLine(namespace)}/${oneLine(name)}`
  if (type !== 'service') throw new CommandFailure('notFound', `"${what}" is a ${oneLine(type)} and no service.`)
  const address = isObject(output.address) ? output.address : {}
  const url = plainAddress(address.url)
  if (url === null) {
    const why = address.published ? 'the gateway of this server is off (CAPSTAN_GATEWAY_PORT)' : 'its manifest has no "published"'
    throw new CommandFailure('notFound', `The service "${what}" has no address at the gateway: ${why}.`)
  }
  terminal.out(options.json ? `${safeJson({ url })}\n` : `${url}\n`)
  if (output.ready_replicas === 0) terminal.err('No instance answers just now.\n')
  if (options.browser && !(await terminal.browse(url))) terminal.err('There is no browser here. Open the address yourself.\n')
}

// It is handed to a program: nothing but an address of the web may get there, however the server answers.
function plainAddress(url: unknown): string | null {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : null
  return parsed && /^https?:$/.test(parsed.protocol) ? parsed.href : null
}

export { openService }
