import { BlockList, isIP } from 'node:net'
import { isLoopbackHost } from './load.ts'
import type { Config } from './load.ts'

/**
 * What an operator should hear at start, from the settings in effect (not from what a file says): each is a sentence with what to do about it.
 */
function warningsOf(config: Config): readonly string[] {
  const warnings: string[] = []
  const beyond = !isLoopbackHost(config.host)
  const peers = config.trustedIdentityPeers
  if (peers.some(includesLoopback)) {
    warnings.push(
      'CAPSTAN_TRUSTED_IDENTITY_PEERS includes loopback: every program on this machine, and everybody behind a proxy on it, can act as anyone. Name the proxy alone.',
    )
  }
  const wide = peers.filter(isWide)
  if (wide.length > 0) {
    warnings.push(`CAPSTAN_TRUSTED_IDENTITY_PEERS is very wide (${wide.join(', ')}): every machine in it can act as anyone. Name the proxies alone.`)
  }
  if (config.trustedProxies.some(isWide)) {
    warnings.push(
      'CAPSTAN_TRUSTED_PROXIES is very wide: clients in it can choose the address that limits and the audit trail see. Name the proxies alone.',
    )
  }
  if (beyond && config.openRoutes === 'all') {
    warnings.push(
      'The open routes of the Deploy API show everything to everybody who can reach this server. Set CAPSTAN_DEPLOY_API_OPEN_ROUTES=granted.',
    )
  }
  if (beyond && config.registration === 'first') {
    warnings.push(
      'CAPSTAN_REGISTRATION is "first" on a server that others can reach: behind a local proxy a stranger may become administrator. Use "approval".',
    )
  }
  if (beyond && config.registration === 'open') {
    warnings.push('CAPSTAN_REGISTRATION is "open" on a server that others can reach: everybody can have an account. Use "approval".')
  }
  if (config.unsandboxed === 'allow') {
    warnings.push(
      'CAPSTAN_UNSANDBOXED is "allow": where there is no sandbox, every user\'s tasks can read the data folder and each other. Install bubblewrap.',
    )
  }
  if (beyond && config.publicUrl.startsWith('http://')) {
    warnings.push(
      'Others can reach this server without TLS: passwords and tokens can be read on the way. Put a proxy with TLS before it and set CAPSTAN_PUBLIC_URL.',
    )
  }
  return warnings
}

function isWide(network: string): boolean {
  const [address = '', prefix = '0'] = network.split('/')
  return Number(prefix) < (isIP(address) === 4 ? 8 : 16)
}

function includesLoopback(network: string): boolean {
  const [address = '', prefix = '0'] = network.split('/')
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(address, Number(prefix), family)
  // A range inside 127.0.0.0/8 that leaves out 127.0.0.1 is loopback all the same.
  return list.check('127.0.0.1', 'ipv4') || list.check('::1', 'ipv6') || address.startsWith('127.') || /^::ffff:127\./i.test(address)
}

export { warningsOf }
