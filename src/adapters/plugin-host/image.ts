import { PluginRefused, registryOf, usualRegistry } from '../../ports/plugin-host.ts'
import { EngineRefused } from '../docker/engine.ts'
import type { Egress } from '../../ports/egress.ts'
import type { RegistryLogin } from '../../ports/plugin-host.ts'
import type { Engine } from '../docker/engine.ts'

const pullMs = 15 * 60 * 1000
// What a reference is made of: a registry or none, a path, a tag, a digest.
const pattern =
  /^(?<name>(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?\/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/

type Reference = {
  readonly name: string
  readonly tag: string
  readonly whole: string
  /** The host that the name begins with; null: the engine's usual one is meant. */
  readonly registry: string | null
}

/** An image as the engine is asked for it. Throws `PluginRefused` for what is none. */
function readReference(text: string): Reference {
  const { name, tag, digest } = (text.length <= 500 ? pattern.exec(text)?.groups : null) ?? {}
  if (name === undefined) throw new PluginRefused(`"${text.slice(0, 100)}" is not the name of an image. Wanted is one like "vendor/name:1.0.0".`)
  const version = digest ?? tag ?? 'latest'
  return { name, tag: version, whole: digest ? `${name}@${digest}` : `${name}:${version}`, registry: registryOf(name) }
}

type Pull = {
  readonly egress: Pick<Egress, 'resolve'>
  /** Whom the registry of that host knows us as; null: it is asked as nobody. */
  readonly login: (registry: string) => Promise<RegistryLogin | null>
  readonly signal: AbortSignal
}

/**
 * Pulls an image unless the engine has it. A registry that the reference names is asked for only where plugins may call it; the engine reaches out by itself
 * then. Throws `PluginRefused`.
 */
async function pullImage(engine: Engine, text: string, { egress, login, signal }: Pull): Promise<void> {
  const { name, tag, whole, registry } = readReference(text)
  if (await isThere(engine, whole)) return
  if (registry !== null)
    await egress.resolve(registry.replace(/:\d+$/, ''), 'plugin').catch(() => {
      throw new PluginRefused(`The registry ${registry} may not be called from here. An operator allows it with "egress.allow", or pulls the image.`)
    })
  const query = new URLSearchParams({ fromImage: name, tag })
  const known = await login(registry ?? usualRegistry)
  try {
    await engine.follow('POST', `/images/create?${query.toString()}`, {
      headers: known ? { 'x-registry-auth': asHeader(known, registry) } : {},
      signal: AbortSignal.any([signal, AbortSignal.timeout(pullMs)]),
      idleMs: pullMs,
    })
  } catch (error) {
    signal.throwIfAborted()
    const said = error instanceof EngineRefused ? error.message.slice(0, 300) : 'the Docker engine did not bring it to an end'
    const why = known ? said.replaceAll(known.password, '********') : said
    throw new PluginRefused(`The image ${whole} cannot be pulled: ${why}. Check its name, or bring it to the Docker engine yourself ("docker load").`)
  }
}

// An engine that is told no address means its usual registry, under the name that this has as an address; that one has others too.
function asHeader({ user, password }: RegistryLogin, registry: string | null): string {
  const address = registry === null || registry === usualRegistry ? '' : registry
  // Engines read the alphabet for addresses, and take nothing that is not filled up with "=".
  const text = Buffer.from(JSON.stringify({ username: user, password, serveraddress: address })).toString('base64')
  return text.replaceAll('+', '-').replaceAll('/', '_')
}

async function isThere(engine: Engine, reference: string): Promise<boolean> {
  try {
    await engine.call('GET', `/images/${reference}/json`)
    return true
  } catch (error) {
    if (error instanceof EngineRefused && error.status === 404) return false
    throw error
  }
}

export { pullImage, readReference }
