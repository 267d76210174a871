import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createEgress } from './adapters/egress/egress.ts'
import { createOutbound } from './adapters/egress/outbound.ts'
import { createEgressProxy } from './adapters/egress/proxy.ts'
import { createFileRunLog } from './adapters/run-log/files.ts'
import { createGit } from './adapters/git/cli.ts'
import { createHg } from './adapters/hg/adapter.ts'
import { sweepHg } from './adapters/hg/sweep.ts'
import { sweep } from './adapters/git/sweep.ts'
import { claimFolder } from './adapters/installation/installation.ts'
import { createLoopback } from './adapters/loopback/loopback.ts'
import { giveBackMemory } from './adapters/memory/give-back.ts'
import { createMailer } from './adapters/mailer/smtp.ts'
import { createPasswordHasher } from './adapters/password/password.ts'
import { WorkerPatterns } from './adapters/patterns/patterns.ts'
import { createIncoming } from './adapters/incoming/incoming.ts'
import { createPluginHost } from './adapters/plugin-host/host.ts'
import { certificatesIn } from './adapters/docker/certificates.ts'
import { addressOf } from './adapters/docker/engine.ts'
import { createPrograms } from './adapters/programs/programs.ts'
import { createProcessRuntime } from './adapters/runtime/process/runtime.ts'
import { noImageBuilds } from './adapters/image-builds/none.ts'
import { readFolder } from './adapters/sample/read-folder.ts'
import { createSecretBox } from './adapters/secret-box/secret-box.ts'
import { createTokens } from './adapters/tokens/tokens.ts'
import { createFolderTemplates } from './adapters/templates/folder.ts'
import { openSqliteStore } from './adapters/store/sqlite/store.ts'
import { hasEnded, markOfServer } from './adapters/runtime/process/server-mark.ts'
import { stderrLog } from './adapters/log/process-log.ts'
import { apis } from './api/index.ts'
import { createHttp, listenHttp } from './api/http.ts'
import { settingsOf } from './config/settings.ts'
import { RefusalLog } from './core/audit/refusal-log.ts'
import { ensureFirstStart } from './core/identity/first-start.ts'
import { identify } from './core/identity/identify.ts'
import { expectImportedPasswords } from './core/identity/imported-passwords.ts'
import { ProofCache } from './core/identity/proof-cache.ts'
import { SignInGuard } from './core/identity/sign-in-guard.ts'
import { watchHistory } from './core/deploy/cron-history.ts'
import { mirrorSource } from './core/mirror/schedule.ts'
import { cronSource } from './core/deploy/cron-occurrence.ts'
import { Loadings, pruneLoadings } from './core/deploy/loading.ts'
import { Reconciler } from './core/deploy/reconcile.ts'
import { followRoutes } from './core/deploy/routes.ts'
import { Traffic } from './core/deploy/traffic.ts'
import { systemClock } from './core/kernel/clock.ts'
import { systemIds } from './core/kernel/id.ts'
import { ownFile } from './core/kernel/own-file.ts'
import { joinServers } from './core/notify/across-servers.ts'
import { EventHub } from './core/notify/event-hub.ts'
import { healthOf } from './core/operation/health.ts'
import { invoke } from './core/operation/invoke.ts'
import { createRegistry } from './core/operation/registry.ts'
import { openStream } from './core/operation/stream.ts'
import { operations, streams } from './core/operations.ts'
import { pruneGists } from './core/gist/expiry.ts'
import { startJanitor } from './core/run/janitor.ts'
import { recoverPushes } from './core/repository/push.ts'
import { purgeKeptAside, sweepRepositories } from './core/repository/storage.ts'
import { RunEngine } from './core/run/engine.ts'
import { Scheduler, pruneSchedules } from './core/run/schedule.ts'
import { makeSample } from './core/sample.ts'
import { sources } from './core/sources.ts'
import { releaseLeftCalls } from './core/workflow/job/kept-calls.ts'
import { dropOldConnections } from './core/workflow/plugin/drop-connections.ts'
import { registryLogin } from './core/workflow/plugin/registry.ts'
import { WorkflowDocuments } from './core/workflow/documents.ts'
import { pruneDrafts } from './core/workflow/retention.ts'
import { pruneEvents } from './core/workflow/trigger/dispatch.ts'
import { triggerSource } from './core/workflow/trigger/times.ts'
import { Reminders } from './core/workflow/job/reminders.ts'
import { Triggers } from './core/workflow/trigger/triggers.ts'
import { pruneDeliveries, WebhookDispatch } from './core/webhook/dispatch.ts'
import type { KallitheaImport } from './cli/seams.ts'
import { isLoopbackHost } from './config/load.ts'
import type { Config } from './config/load.ts'
import type { ImportReport } from './core/import/report.ts'
import type { Gateway } from './gateway/gateway.ts'
import type { Clock } from './core/kernel/clock.ts'
import type { Log } from './core/kernel/log.ts'
import type { Readiness } from './core/operation/health.ts'
import type { AnyOperation } from './core/operation/operation.ts'
import type { Finding } from './core/workflow/plugin/check.ts'
import type { RunSource } from './core/run/source.ts'
import type { Services } from './core/operation/services.ts'
import type { Runtime } from './ports/runtime.ts'
import type { Egress, EgressProxy } from './ports/egress.ts'
import type { Hg } from './ports/hg.ts'
import type { PluginHost, RegistryLogin } from './ports/plugin-host.ts'
import type { Store } from './ports/store/store.ts'

/** The whole server, built and not yet listening. */
type App = {
  readonly services: Services
  /** The one-time token for the first administrator; null when there is one. */
  readonly bootstrapToken: string | null
  /** Opens the port and takes up the runs of before. `lines` are for the operator: what the first start made, when that has come to an end. */
  listen(): Promise<{ address: string; lines?: Promise<readonly string[]> }>
  /** Stops accepting, hands over what runs, and closes everything in the opposite order of making. */
  close(): Promise<void>
}

type AppOptions = {
  readonly log?: Log
  /** For tests: one that they move. */
  readonly clock?: Clock
  /** Further runtimes, by name: tests and benchmarks bring the `fake` one. */
  readonly runtimes?: readonly Runtime[]
  /** Further operations and kinds of run, for benchmarks. */
  readonly operations?: readonly AnyOperation[]
  readonly sources?: readonly RunSource[]
}

/** Builds the server from its configuration. Throws `StoreRefused` when the data folder or database cannot be used. */
async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const owned: (() => Promise<void> | void)[] = []
  const own = <T>(thing: T, close: (thing: T) => Promise<void> | void): T => {
    owned.push(() => close(thing))
    return thing
  }
  const closeAll = async () => {
    for (const close of owned.reverse()) await close()
    owned.length = 0
  }
  try {
    const folder = makeFolders(config.data)
    const clock = options.clock ?? systemClock
    const ids = systemIds
    const log = options.log ?? stderrLog({ level: config.logLevel, format: config.logFormat })
    const stopping = new AbortController()
    const shared = config.databaseUrl !== null
    const store = own(await openStore(config, log), (it) => it.close())
    if (shared) await claimFolder(store, config.data, ids.record())
    const storage = { root: realpathSync(folder.repositories), log, clock, storage: shared ? ('shared' as const) : ('alone' as const) }
    await sweep(storage)
    await sweepHg(storage)
    const process = own(
      await createProcessRuntime({ root: folder.work, unsandboxed: config.unsandboxed === 'allow', hide: [config.data], clock, log }),
      (it) => it.close(),
    )
    if (process.isolation.reason)
      log.warn('runtime.isolation', { runtime: process.name, mechanism: process.isolation.mechanism, why: process.isolation.reason })

    const egress = createEgress({ allow: config.egressAllow })
    const egressProxy = own(createEgressProxy({ egress, log }), (it) => it.close())
    const plugins = own(
      await openPlugins(config, { work: folder.pluginWork, egress, egressProxy, clock, log, login: (registry) => registryLogin(services, registry) }),
      (it) => it.close(),
    )
    const services: Services = {
      settings: settingsOf(config, new Set(apis.flatMap((api) => api.segments))),
      registry: createRegistry([...operations, ...(options.operations ?? [])]),
      clock,
      ids,
      log,
      store,
      git: own(createGit({ root: folder.repositories, log, clock, timeoutMs: config.gitTimeoutMs, storage: shared ? 'shared' : 'alone' }), (it) =>
        it.close(),
      ),
      hg: own(await openHg(config, folder.repositories, { log, clock }), (it) => it.close()),
      runtimes: new Map([process, ...(options.runtimes ?? [])].map((runtime) => [runtime.name, runtime])),
      imageBuilds: noImageBuilds(),
      runLog: own(createFileRunLog({ root: folder.logs }), (it) => it.close()),
      secretBox: createSecretBox({ folder: folder.keys }),
      passwords: createPasswordHasher(),
      programs: createPrograms(),
      incoming: createIncoming({ root: folder.incoming }),
      tokens: createTokens({ folder: folder.keys, clock }),
      egress,
      egressProxy,
      outbound: createOutbound({ egress }),
      mailer: createMailer({ url: config.smtpUrl, from: config.smtpFrom ?? `capstan@${new URL(config.publicUrl).hostname}`, egress }),
      events: new EventHub(ids.hex(4)),
      refusals: own(new RefusalLog({ store, clock, ids, log }), (it) => it.flush()),
      signInGuard: new SignInGuard({ clock }),
      proofs: new ProofCache({ clock }),
      stopping: stopping.signal,
      templates: createFolderTemplates({ root: folder.templates }),
      workflows: new WorkflowDocuments(store),
      patterns: own(new WorkerPatterns(), (it) => it.close()),
      plugins,
      get engine() {
        return engine
      },
      get loadings() {
        return loadings
      },
    }
    const server = { id: ids.record(), host: hostname(), boot: markOfServer(), hasEnded, shared }
    if (shared) own(joinServers(services.events, store.bus, { server: server.id, log }), (leave) => leave())
    const engine: RunEngine = own(new RunEngine({ services: () => services, sources: [...sources, ...(options.sources ?? [])], server }), (it) =>
      it.close(),
    )

    const loadings: Loadings = own(new Loadings({ services: () => services, shared }), (it) => it.close())
    own(watchHistory(services), (it) => it.close())
    own(dropOldConnections(services), (stop) => stop())
    const webhooks = own(new WebhookDispatch({ services: () => services, server, queued: () => triggers.look() }), (it) => it.close())
    const triggers: Triggers = own(new Triggers({ services: () => services, server }), (it) => it.close())
    const reminders = own(new Reminders({ services: () => services, server }), (it) => it.close())
    const scheduled = [cronSource(services), mirrorSource(services), triggerSource(() => services)]
    const scheduler = own(new Scheduler({ store, clock, log, sources: scheduled }), (it) => it.close())

    const traffic = new Traffic({ clock })
    const reconciler = own(new Reconciler({ services, loopback: createLoopback(), traffic, server }), (it) => it.close())

    const health = healthOf(services)
    let started = false
    const { bootstrapToken } = await ensureFirstStart(services, { admin: adminOf(config) })
    await expectImportedPasswords(services)
    const http = own(
      await createHttp({
        config,
        services,
        apis,
        health: { ...health, readiness: async () => withStart(await health.readiness(), started) },
        identify: (credential, origin) => identify(services, credential, origin),
        stream: (call, name, input) => openStream(services, call, streams, name, input),
      }),
      (it) => it.close(),
    )
    owned.push(() => stopping.abort(new Error('The server stops')))

    return {
      services,
      bootstrapToken,
      async listen() {
        // Before anything is served: a push of now must not be taken for one that a crash left open.
        await recoverPushes(services)
        await sweepRepositories(services, shared ? { olderThanMs: hourMs } : {})
        const port = await listenHttp(http, { host: config.host, port: config.port })
        await engine.start()
        await releaseLeftCalls(services)
        await reconciler.start()
        const gateway = await openGateway(config, services, traffic)
        if (gateway) own(gateway, (it) => it.close())
        await scheduler.start()
        await loadings.start()
        await webhooks.start()
        await triggers.start()
        reminders.start()
        own(giveBackMemory({ clock }), (stop) => stop())
        own(startJanitor(services, [removeKeptAside, pruneLoadings, pruneSchedules, pruneDeliveries, pruneEvents, pruneDrafts, pruneGists]), (it) =>
          it.close(),
        )
        const address = config.port === 0 ? config.publicUrl.replace(/:0$/, `:${port}`) : config.publicUrl
        const sample = config.sample ? await makeSample(services, { files: () => readFolder(sampleFolder), address }) : null
        started = true
        return sample ? { address, lines: sample.lines } : { address }
      },
      close: closeAll,
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Tries a package of a plugin as a server of this configuration would use it. Nothing of it stays. */
async function checkPlugin(config: Config, folder: string): Promise<readonly Finding[]> {
  const { checkPackage } = await import('./core/workflow/plugin/check.ts')
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const work = mkdtempSync(join(tmpdir(), 'capstan-check-'))
  const egress = createEgress({ allow: config.egressAllow })
  const egressProxy = createEgressProxy({ egress, log })
  const at = resolve(folder)
  try {
    const host = await openPlugins({ ...config, pluginRoot: dirname(at), dockerHost: null }, { work, egress, egressProxy, clock: systemClock, log })
    try {
      return await checkPackage(host, at, new AbortController().signal)
    } finally {
      await host.close()
    }
  } finally {
    await egressProxy.close()
    rmSync(work, { recursive: true, force: true })
  }
}

/** Opens the gateway, where there shall be one. Its modules are loaded then only. */
async function openGateway(config: Config, services: Services, traffic: Traffic): Promise<Gateway | null> {
  if (config.gatewayPort === 0) return null
  const { Gateway } = await import('./gateway/gateway.ts')
  const { clock, ids, log, secretBox } = services
  const gateway = new Gateway({
    ...{ clock, log, traffic, gatewayUrl: config.gatewayUrl, publicUrl: config.publicUrl, trustedProxies: config.trustedProxies },
    routes: (signal) => followRoutes(services, signal),
    identify: (credential, origin) => identify(services, credential, origin),
    invoke: (call, operation, input) => invoke(services, call, operation, input),
    mark: (text) => secretBox.fingerprint(text, 'gateway'),
    random: (bytes) => ids.hex(bytes),
  })
  try {
    await gateway.listen({ host: config.host, port: config.gatewayPort })
    return gateway
  } catch (error) {
    await gateway.close()
    const where = `${config.host}:${config.gatewayPort}`
    const why = `The gateway cannot listen on ${where} (${(error as NodeJS.ErrnoException).code}). Stop what listens there, or set CAPSTAN_GATEWAY_PORT; 0 does without.`
    // Nobody asked for just this port: a second server on a machine is no mistake. It has no gateway, and says so wherever it would name its address.
    if (config.sources.gatewayPort !== 'default') throw new Error(why, { cause: error })
    log.warn('gateway.off', { why })
    Object.assign(services.settings, { gatewayUrl: null })
    return null
  }
}

/** Writes a consistent copy of everything that the data folder holds, while a server uses it or not. Gives lines for the operator. */
async function backup(config: Config, file: string): Promise<readonly string[]> {
  refuseDatabaseServer(config, 'Save that with "pg_dump", and after it copy these folders')
  const { writeBackup } = await import('./adapters/backup/backup.ts')
  return writeBackup({ data: config.data, file: resolve(file), at: systemClock.now() })
}

/** Puts a backup into an empty data folder. Gives lines for the operator. */
async function restore(config: Config, file: string): Promise<readonly string[]> {
  refuseDatabaseServer(config, 'Restore that with "pg_restore", and put back these folders')
  const { restoreBackup } = await import('./adapters/backup/restore.ts')
  return restoreBackup({ data: config.data, file: resolve(file) })
}

/** Brings what an installation of Kallithea holds into the data folder, on which no server may run meanwhile. Changes nothing there. */
async function importKallithea(config: Config, { database, repositories, ...order }: KallitheaImport): Promise<ImportReport> {
  const [{ openKallithea }, { levelNamed, systemPermissionOf }, { runImport }] = await Promise.all([
    import('./adapters/kallithea-source/source.ts'),
    import('./api/kallithea/permission-names.ts'),
    import('./core/import/import.ts'),
  ])
  const source = await openKallithea({ database, repositories, names: { level: levelNamed, right: systemPermissionOf } })
  try {
    // Never listens: it is what a server works with, and holds its lock.
    const app = await createApp(config)
    try {
      return await runImport(app.services, source, order)
    } finally {
      await app.close()
    }
  } finally {
    await source.close()
  }
}

function refuseDatabaseServer({ databaseUrl, data }: Config, what: string): void {
  if (databaseUrl === null) return
  throw new Error(`The store is in PostgreSQL (CAPSTAN_DATABASE_URL). ${what} of ${data}: keys, repositories, logs and templates.`)
}

const sampleFolder = ownFile('examples/sample')

const hourMs = 3_600_000

function removeKeptAside(services: Services): Promise<unknown> {
  return purgeKeptAside(services, services.clock.now() - services.settings.keptAsideDays * 24 * hourMs)
}

/** Ready only when the runs of before are taken up and the first start has made what it makes. */
function withStart({ ready, checks }: Readiness, started: boolean): Readiness {
  return { ready: ready && started, checks: { ...checks, start: started } }
}

async function openStore(config: Config, log: Log): Promise<Store> {
  if (config.databaseUrl === null) return openSqliteStore({ folder: config.data, log, clock: systemClock })
  // Loaded only where it is used: it costs memory that an embedded server does not have to spend.
  const { openPostgresStore } = await import('./adapters/store/postgres/store.ts')
  return openPostgresStore({ url: config.databaseUrl, log, clock: systemClock })
}

type PluginParts = {
  work: string
  egress: Egress
  egressProxy: EgressProxy
  clock: Clock
  log: Log
  login?: (registry: string) => Promise<RegistryLogin | null>
}

async function openPlugins(config: Config, { egress, login, ...given }: PluginParts): Promise<PluginHost> {
  const address = config.dockerHost === null ? null : addressOf(config.dockerHost, certificatesIn(config.dockerCertificates))
  const { pluginRoot: root, pluginPython: python, pluginProcesses: processes, pluginIdleSeconds, pluginMemoryMb } = config
  const host = await createPluginHost({
    ...{ ...given, root, python, unsandboxed: config.unsandboxed === 'allow', hide: [config.data, root], shared: config.databaseUrl !== null },
    limits: { memoryBytes: pluginMemoryMb * 1024 ** 2 },
    pool: { processes, idleMs: pluginIdleSeconds * 1000 },
    ...(address ? { engine: { address, egress, ...(login ? { login } : {}) } } : {}),
  })
  if (address && 'host' in address && address.tls === null && !isLoopbackHost(address.host))
    given.log.warn('plugin.engine', {
      why: 'the Docker engine is spoken to without encryption, secrets of connections among it. Set docker.certificates.',
    })
  if (host.weakness !== null) given.log.warn('plugin.isolation', { why: host.weakness })
  if (host.closed !== null) given.log.warn('plugin.network', { why: `images of plugins reach nothing: ${host.closed}` })
  return host
}

async function openHg(config: Config, root: string, given: { log: Log; clock: Clock }): Promise<Hg> {
  const { hgProgram: program, hgProcesses: maxServing, hgMemoryMb, gitTimeoutMs: timeoutMs } = config
  const hg = await createHg({ ...given, root, program, maxServing, memoryBytes: hgMemoryMb * 1024 ** 2, timeoutMs })
  // Nothing is broken: git repositories are all that can be made then.
  if (hg.missing !== null) given.log.info('hg.off', { why: `${hg.missing}: Mercurial repositories cannot be made or used` })
  return hg
}

function makeFolders(data: string) {
  const folder = {
    keys: join(data, 'keys'),
    repositories: join(data, 'repositories'),
    work: join(data, 'work'),
    pluginWork: join(data, 'plugin-work'),
    logs: join(data, 'logs'),
    templates: join(data, 'templates'),
    // Made by whoever puts something there.
    incoming: join(data, 'incoming'),
  }
  // Others may pass through to their own task's folder, and see nothing on the way: everything in it is closed on its own.
  mkdirSync(data, { recursive: true, mode: 0o711 })
  for (const path of [folder.keys, folder.repositories, folder.logs, folder.templates]) mkdirSync(path, { recursive: true, mode: 0o700 })
  return folder
}

function adminOf(config: Config) {
  if (config.adminName === null) return null
  return { name: config.adminName, password: config.adminPassword, email: config.adminEmail, apiKey: config.adminApiKey }
}

export type { App, AppOptions }
export { createApp, backup, restore, checkPlugin, importKallithea }
