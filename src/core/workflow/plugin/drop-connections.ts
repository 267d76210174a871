import { textMember } from '../document/members.ts'
import type { Services } from '../../operation/services.ts'

/** Has processes of plugins that hold a connection end when it has changed or is gone, whichever server that was done on. Gives what stops it. */
function dropOldConnections(services: Services): () => void {
  return services.events.subscribe((event) => {
    const key = event.kind === 'connection' ? textMember(event.data ?? {}, 'key') : ''
    if (key === '') return
    services.plugins.dropConnection(key).catch((error: unknown) => services.log.warn('plugin.connection_kept', { connection: event.id, error }))
  })
}

export { dropOldConnections }
