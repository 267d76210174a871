import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/id.ts'
import type { Log } from '../kernel/log.ts'
import type { EventHub } from '../notify/event-hub.ts'
import type { SignInGuard } from '../identity/sign-in-guard.ts'
import type { ProofCache } from '../identity/proof-cache.ts'
import type { RefusalLog } from '../audit/refusal-log.ts'
import type { Loadings } from '../deploy/loading.ts'
import type { WorkflowDocuments } from '../workflow/documents.ts'
import type { Engine } from '../run/engine.ts'
import type { Egress, EgressProxy, Outbound } from '../../ports/egress.ts'
import type { Git } from '../../ports/git.ts'
import type { ImageBuilds } from '../../ports/image-builds.ts'
import type { Hg } from '../../ports/hg.ts'
import type { Mailer } from '../../ports/mailer.ts'
import type { Patterns } from '../../ports/patterns.ts'
import type { PluginHost } from '../../ports/plugin-host.ts'
import type { PasswordHasher } from '../../ports/password.ts'
import type { Incoming } from '../../ports/incoming.ts'
import type { Programs } from '../../ports/programs.ts'
import type { RunLog } from '../../ports/run-log.ts'
import type { Runtime } from '../../ports/runtime.ts'
import type { SecretBox } from '../../ports/secret-box.ts'
import type { Store } from '../../ports/store/store.ts'
import type { TemplateStore } from '../../ports/template-store.ts'
import type { Tokens } from '../../ports/tokens.ts'
import type { Registry } from './registry.ts'
import type { Settings } from './settings.ts'

/** Everything that operations reach besides data: built once by `createApp`, closed backwards. */
export type Services = {
  readonly settings: Settings
  readonly registry: Registry
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly store: Store
  readonly git: Git
  readonly hg: Hg
  readonly runtimes: ReadonlyMap<string, Runtime>
  readonly imageBuilds: ImageBuilds
  readonly runLog: RunLog
  readonly secretBox: SecretBox
  readonly passwords: PasswordHasher
  readonly programs: Programs
  readonly incoming: Incoming
  readonly tokens: Tokens
  readonly egress: Egress
  readonly egressProxy: EgressProxy
  readonly outbound: Outbound
  readonly mailer: Mailer
  readonly engine: Engine
  readonly loadings: Loadings
  readonly workflows: WorkflowDocuments
  readonly patterns: Patterns
  readonly plugins: PluginHost
  readonly templates: TemplateStore
  readonly events: EventHub
  readonly refusals: RefusalLog
  readonly signInGuard: SignInGuard
  readonly proofs: ProofCache
  /** Aborted when the server begins to stop. */
  readonly stopping: AbortSignal
}
