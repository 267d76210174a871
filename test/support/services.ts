import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEgress } from '../../src/adapters/egress/egress.ts'
import { createPasswordHasher } from '../../src/adapters/password/password.ts'
import { createSecretBox } from '../../src/adapters/secret-box/secret-box.ts'
import { createTokens } from '../../src/adapters/tokens/tokens.ts'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { RefusalLog } from '../../src/core/audit/refusal-log.ts'
import { ensureFirstStart } from '../../src/core/identity/first-start.ts'
import { ProofCache } from '../../src/core/identity/proof-cache.ts'
import { SignInGuard } from '../../src/core/identity/sign-in-guard.ts'
import { systemClock } from '../../src/core/kernel/clock.ts'
import { systemIds } from '../../src/core/kernel/id.ts'
import { silentLog } from '../../src/core/kernel/log.ts'
import { EventHub } from '../../src/core/notify/event-hub.ts'
import { createRegistry } from '../../src/core/operation/registry.ts'
import { WorkflowDocuments } from '../../src/core/workflow/documents.ts'
import type { Clock } from '../../src/core/kernel/clock.ts'
import type { AnyOperation } from '../../src/core/operation/operation.ts'
import type { Services } from '../../src/core/operation/services.ts'
import type { Settings } from '../../src/core/operation/settings.ts'

export const testSettings: Settings = {
  publicUrl: 'http://capstan.test',
  gatewayUrl: null,
  registration: 'approval',
  defaultOrganisation: '',
  sessionHours: 12,
  openRoutes: 'granted',
  requireIdentityEverywhere: false,
  trustedIdentityPeers: [],
  allowedOrigins: [],
  gitTimeoutMs: 15_000,
  maxParallelTasksPerPipeline: 8,
  maxRunningPerNamespace: 8,
  maxQueuedPerNamespace: 100,
  maxCronJobsPerNamespace: 100,
  maxRunningPerTarget: 8,
  capacity: { cpu: 2, memoryBytes: 1 << 30 },
  outputLimitBytes: 1 << 20,
  defaultRuntime: 'fake',
  unsandboxed: false,
  retention: { deployDays: 14, workflowDays: 90, keep: 100_000 },
  keptAsideDays: 7,
  reservedSegments: new Set(['api']),
}

export type TestServices = {
  readonly services: Services
  readonly folder: string
  /** The token for the first administrator. */
  readonly bootstrapToken: string | null
  /** Closes everything; the folder stays for a second start with `folder`. */
  stop(): Promise<void>
  /** Closes everything and removes the folder. */
  close(): Promise<void>
}

/**
 * Real services over a store in a temporary folder, as after a first start. What `parts` does not bring and this function does not build (git, engine,
 * runtimes, run log) fails clearly when it is touched.
 */
export async function testServices(
  options: { operations?: readonly AnyOperation[]; settings?: Partial<Settings>; clock?: Clock; folder?: string; parts?: Partial<Services> } = {},
): Promise<TestServices> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'capstan-test-'))
  const clock = options.clock ?? systemClock
  const ids = systemIds
  const log = silentLog
  const store = await openSqliteStore({ folder, log, clock })
  const stopping = new AbortController()
  const refusals = new RefusalLog({ store, clock, ids, log })
  const services: Services = {
    settings: { ...testSettings, ...options.settings },
    registry: createRegistry(options.operations ?? []),
    clock,
    ids,
    log,
    store,
    git: absent('git'),
    hg: absent('hg'),
    runtimes: new Map(),
    imageBuilds: absent('imageBuilds'),
    runLog: absent('runLog'),
    secretBox: createSecretBox({ folder: join(folder, 'keys') }),
    passwords: createPasswordHasher(),
    programs: absent('programs'),
    incoming: absent('incoming'),
    tokens: createTokens({ folder: join(folder, 'keys'), clock }),
    egress: createEgress({ allow: [] }),
    egressProxy: absent('egressProxy'),
    outbound: absent('outbound'),
    mailer: absent('mailer'),
    engine: absent('engine'),
    loadings: absent('loadings'),
    workflows: new WorkflowDocuments(store),
    patterns: absent('patterns'),
    plugins: absent('plugins'),
    templates: absent('templates'),
    events: new EventHub('test'),
    refusals,
    signInGuard: new SignInGuard({ clock }),
    proofs: new ProofCache({ clock }),
    stopping: stopping.signal,
    ...options.parts,
  }
  const { bootstrapToken } = await ensureFirstStart(services, { admin: null })
  const stop = async () => {
    stopping.abort(new Error('The test ends'))
    await refusals.flush()
    await store.close()
  }
  return {
    services,
    folder,
    bootstrapToken,
    stop,
    async close() {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A part that a test does not have: touching it fails with its name. */
export function absent<Part extends object>(name: keyof Services): Part {
  const fail = (_: object, member: string | symbol) => {
    throw new Error(`This test was built without ${name}, and something asked for ${name}.${String(member)}`)
  }
  // A stand-in that has no member: whatever type it stands for, nothing of it can be used.
  return new Proxy({}, { get: fail }) as Part
}
