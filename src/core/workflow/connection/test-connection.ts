import type { Ctx } from '../../operation/context.ts'
import type { ResourceRow } from '../../../ports/store/rows.ts'

/** What a plugin says of a connection that it was given to try. */
type Tested = { readonly success: boolean; readonly message: string; readonly log: string }

/** Has the plugin of a connection try it. What is wrong is an answer and no exception. */
function testConnection(_: Ctx, __: ResourceRow): Promise<Tested> {
  return Promise.resolve({ success: false, message: 'The plugin of this connection is not installed.', log: '' })
}

export type { Tested }
export { testConnection }
