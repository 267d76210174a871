import { asIs, optional, required } from '../argument.ts'
import { missing } from '../errors.ts'
import { locateUser } from '../locate.ts'
import { defineMethod } from '../method.ts'
import { networkRange } from '../network-range.ts'
import type { AnyMethod } from '../method.ts'

const test = defineMethod({
  name: 'test',
  args: { args: required(asIs) },
  caller: 'administrator',
  operations: [],
  errors: [],
  run: async (_call, { args }) => args,
})

const getIp = defineMethod({
  name: 'get_ip',
  aliases: ['show_ip'],
  args: { userid: optional(asIs, null) },
  caller: 'administrator',
  operations: ['user.locate', 'user.get'],
  errors: [missing('user', 'user `{userid}` does not exist')],
  async run(call, { userid }) {
    const id = userid === null ? call.caller.principal.id : (await locateUser(call, userid)).id
    const { networks } = await call.invoke<{ networks: string[] }>('user.get', { user: id })
    const userIps = networks.map((network) => ({ ip_addr: network, ip_range: networkRange(network) }))
    return { server_ip_addr: call.caller.origin.peer, user_ips: userIps }
  },
})

/** Contract §4. */
const serverMethods: readonly AnyMethod[] = [test, getIp]

export { serverMethods }
