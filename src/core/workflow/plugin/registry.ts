import { heldOn } from '../../access/held.ts'
import { viewerOf } from '../../identity/principal.ts'
import { fault } from '../../kernel/fault.ts'
import { atLeast } from '../../kernel/level.ts'
import { secretContext } from '../../secret/open.ts'
import { registryOf, usualRegistry } from '../../../ports/plugin-host.ts'
import type { Ctx } from '../../operation/context.ts'
import type { Services } from '../../operation/services.ts'
import type { RegistryLogin } from '../../../ports/plugin-host.ts'

/**
 * The general secret that holds the login of a registry of images, under the keys `user` and `password`. Names of secrets have no colon, so that of a port is
 * written as "_".
 */
function secretOfRegistry(registry: string): string {
  return `registry.${registry.toLowerCase().replaceAll(':', '_')}`
}

/** Whom a registry knows this server as; null: no login is kept for it. */
async function registryLogin(
  { store, secretBox, log }: Pick<Services, 'store' | 'secretBox' | 'log'>,
  registry: string,
): Promise<RegistryLogin | null> {
  const { secrets } = store.reader
  const name = secretOfRegistry(registry)
  const [user, password] = await Promise.all([secrets.get('', name, 'user'), secrets.get('', name, 'password')])
  if (!user || !password) return null
  const open = ({ id, sealed }: { id: string; sealed: string }) => secretBox.open(sealed, secretContext(id)).reveal()
  try {
    return { user: open(user), password: open(password) }
  } catch (error) {
    log.warn('plugin.registry_login', { secret: name, error })
    return null
  }
}

/** Refuses an image of a registry for which a login is kept to whom that secret is not granted (*execute*): they would see with it what they may not. */
async function mayPull(ctx: Ctx, image: string): Promise<void> {
  const name = secretOfRegistry(registryOf(image) ?? usualRegistry)
  const secret = await ctx.db.resources.byName('secret', name)
  if (!secret) return
  const { level } = await heldOn(ctx.db, secret, viewerOf(ctx.principal))
  if (!atLeast(level, 'execute')) throw fault('forbidden', { operation: 'plugin.install', need: 'execute', subject: `secret:${name}` })
}

export { registryLogin, mayPull }
