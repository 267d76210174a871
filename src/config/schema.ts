import { databaseUrl, dockerHost, flag, matching, networks, oneOf, origins, smtpUrl, text, webAddress, whole } from './kinds.ts'
import type { Kind } from './kinds.ts'

/**
 * One thing that an operator can set. Loading, `capstan config` and `docs/configuration.md` are made from the table of these, so nothing else knows
 * the names.
 */
type Key<T = unknown> = {
  /** The key in `capstan.toml`; a dot is a table: `deploy_api.open_routes`. */
  readonly path: string
  readonly environment: string
  readonly flag: string
  readonly kind: Kind<T>
  /** Null: not set. */
  readonly default: T | null
  /** Said instead of the default in the documents, where it depends on another key. */
  readonly otherwise?: string
  /** One sentence: what it does. */
  readonly description: string
  /** Never shown. Has no flag: a command line can be read by everybody on the machine. */
  readonly secret?: boolean
}

type Names = { path: string; environment?: string; flag?: string; description: string; secret?: boolean; otherwise?: string }

/** A key that always has a value. */
function set<T>(kind: Kind<T>, value: NoInfer<T>, names: Names): Key<T> & { readonly default: T } {
  return { ...named(names), kind, default: value }
}

/** A key that is null until somebody sets it. */
function unset<T>(kind: Kind<T>, names: Names): Key<T> & { readonly default: null } {
  return { ...named(names), kind, default: null }
}

function named({ path, ...rest }: Names): Omit<Key, 'kind' | 'default'> {
  const environment = `CAPSTAN_${path.replaceAll('.', '_').toUpperCase()}`
  return { path, environment, flag: `--${path.replaceAll(/[._]/g, '-')}`, ...rest }
}

const none: readonly string[] = []

/** Every key of the server. */
const keys = {
  host: set(matching(/^[A-Za-z0-9._:-]{1,253}$/, 'a host name or an address to listen on'), '127.0.0.1', {
    path: 'host',
    description: 'The address to listen on; 0.0.0.0 or :: means all of this machine.',
  }),
  port: set(whole(0, 65_535), 9120, { path: 'port', description: 'The port to listen on; 0 takes any free one.' }),
  publicUrl: unset(webAddress, {
    path: 'public_url',
    otherwise: 'http://<host>:<port>',
    description: 'The address under which people reach this server, for links, clone addresses and cookies.',
  }),
  data: set(text('a folder'), './data', { path: 'data', description: 'The folder that holds everything: the store, repositories, logs and keys.' }),
  databaseUrl: unset(databaseUrl, {
    path: 'database_url',
    secret: true,
    otherwise: 'SQLite in the data folder',
    description: 'A PostgreSQL database to keep the store in, so that several servers can share it.',
  }),
  logLevel: set(oneOf(['debug', 'info', 'warn', 'error']), 'info', {
    path: 'log_level',
    description: 'The least that is logged to standard error.',
  }),
  logFormat: set(oneOf(['auto', 'json', 'pretty']), 'auto', {
    path: 'log_format',
    description: 'How log lines look; auto means pretty on a terminal and JSON otherwise.',
  }),
  sample: set(flag, true, { path: 'sample', description: 'Whether the first start makes a sample repository that is ready to deploy.' }),
  pluginRoot: unset(text('a folder'), {
    path: 'plugin_root',
    otherwise: '<data>/plugins',
    description: 'The folder that workflow plugins are installed in.',
  }),

  registration: set(oneOf(['approval', 'first', 'open', 'closed']), 'approval', {
    path: 'registration',
    description:
      'What a sign-up becomes: an account that waits for approval, the administrator if it is the very first from loopback (first), an active account (open), or nothing (closed).',
  }),
  sessionHours: set(whole(1, 8760), 24, { path: 'session_hours', description: 'How many hours a sign-in lasts.' }),
  defaultOrganisation: set(matching(/^[^\u0000-\u0020\u007f]{0,255}$/u, 'the path of a group of repositories'), '', {
    path: 'default_organisation',
    otherwise: 'the top level',
    description: 'The group of repositories that short repository names mean for callers without an organisation of their own.',
  }),
  adminName: unset(matching(/^\S{1,100}$/u, 'a name without spaces'), {
    path: 'admin.name',
    description: 'The first administrator, made at the first start instead of printing a bootstrap link.',
  }),
  adminPassword: unset(text('a password'), { path: 'admin.password', secret: true, description: 'The password of the first administrator.' }),
  adminEmail: unset(matching(/^[^\s@]+@[^\s@]+$/u, 'an e-mail address'), {
    path: 'admin.email',
    description: 'The e-mail address of the first administrator.',
  }),
  adminApiKey: unset(matching(/^[A-Za-z0-9]{40}$/, '40 letters and digits'), {
    path: 'admin.api_key',
    secret: true,
    description: 'A fixed API key secret for the first administrator, so that clients can be set up before the first start.',
  }),

  trustedProxies: set(networks, none, {
    path: 'trusted_proxies',
    description: 'The proxies whose X-Forwarded-For is believed.',
  }),
  allowedOrigins: set(origins, none, {
    path: 'allowed_origins',
    description: 'Other web origins whose pages may use the session cookie.',
  }),
  egressAllow: set(networks, none, {
    path: 'egress.allow',
    description: 'Private, loopback or link-local networks that users may name in remotes, webhooks and connections.',
  }),
  smtpUrl: unset(smtpUrl, {
    path: 'smtp.url',
    secret: true,
    description: 'The mail server that workflows and notices are sent through.',
  }),
  smtpFrom: unset(matching(/^[^\u0000-\u001f\u007f]{0,200}@[^\u0000-\u001f\u007f]{1,200}$/u, 'an e-mail address'), {
    path: 'smtp.from',
    otherwise: 'capstan@<host of the public address>',
    description: 'The sender of letters that name none.',
  }),
  unsandboxed: set(oneOf(['refuse', 'allow']), 'refuse', {
    path: 'unsandboxed',
    description: "Whether everybody's tasks run where this machine has no sandbox; refuse lets administrators' tasks run only.",
  }),

  gatewayPort: set(whole(0, 65_535), 9121, {
    path: 'gateway.port',
    description: 'The port of the gateway, an origin of its own for published services.',
  }),
  gatewayUrl: unset(webAddress, {
    path: 'gateway.url',
    otherwise: 'http://<host>:<gateway port>',
    description: 'The address under which people reach published services.',
  }),

  trustedIdentityPeers: set(networks, none, {
    path: 'deploy_api.trusted_identity_peers',
    environment: 'CAPSTAN_TRUSTED_IDENTITY_PEERS',
    flag: '--trusted-identity-peers',
    description: "The peers whose Identity header is believed; such a peer must delete that header from its own clients' requests.",
  }),
  openRoutes: set(oneOf(['auto', 'all', 'granted']), 'auto', {
    path: 'deploy_api.open_routes',
    otherwise: 'all on loopback, granted beyond',
    description: "What the Deploy API's open routes show: everything, or what everyone was granted to read.",
  }),
  requireIdentityEverywhere: set(flag, false, {
    path: 'deploy_api.require_identity_everywhere',
    description: "Whether the Deploy API's open routes need an identity too.",
  }),
  gitTimeoutMs: set(whole(100, 600_000), 15_000, {
    path: 'deploy_api.git_timeout_ms',
    description: 'How many milliseconds reading a repository may take before the answer is git_timeout.',
  }),
  hgProgram: set(matching(/^[\w./+-]{1,1000}$/, 'the name of a program or its path'), 'hg', {
    path: 'hg.program',
    description: 'The Mercurial program; a bare name is looked for in the folders of the system only.',
  }),
  hgProcesses: set(whole(1, 1000), 16, {
    path: 'hg.processes',
    description: 'How many requests of Mercurial clients are answered at once; more wait.',
  }),
  hgMemoryMb: set(whole(128, 1_048_576), 1024, {
    path: 'hg.memory_mb',
    description:
      'The most memory of one Mercurial process, in MiB. Mercurial holds whole files: the largest file of a repository needs about three times its size.',
  }),
  pluginPython: set(matching(/^[\w./+-]{1,1000}$/, 'the name of a program or its path'), 'python3', {
    path: 'plugins.python',
    description:
      'The interpreter of plugins in Python that have no environment of their own; a bare name is looked for in the folders of the system only.',
  }),
  pluginProcesses: set(whole(1, 1000), 8, {
    path: 'plugins.processes',
    description: 'How many processes of plugins stay for the next call; calls beyond what they can carry wait.',
  }),
  pluginIdleSeconds: set(whole(1, 86_400), 300, {
    path: 'plugins.idle_seconds',
    description: 'How long a process of a plugin stays without a call.',
  }),
  pluginMemoryMb: set(whole(64, 1_048_576), 1024, { path: 'plugins.memory_mb', description: 'The most memory of one process of a plugin, in MiB.' }),
  dockerHost: unset(dockerHost, {
    path: 'docker.host',
    description:
      'The Docker engine that images of workflow plugins run on: the path of its socket, or "tcp://host:port", which is encrypted only with `docker.certificates`. Who may use an engine rules its machine.',
  }),
  dockerCertificates: unset(text('a folder'), {
    path: 'docker.certificates',
    description:
      'For a Docker engine at "tcp://host:port" that speaks TLS: the folder with "ca.pem" (who signed its certificate), "cert.pem" and "key.pem" (what this server shows it).',
  }),
  maxParallelTasksPerPipeline: set(whole(1, 1000), 32, {
    path: 'deploy_api.max_parallel_tasks_per_pipeline',
    description: 'How many tasks of one pipeline run at once.',
  }),

  defaultRuntime: set(matching(/^[a-z][a-z0-9-]{0,62}$/, 'the name of a runtime'), 'process', {
    path: 'runtime.default',
    description: 'The runtime that work is started on when nothing names another.',
  }),
  maxRunningPerNamespace: set(whole(1, 100_000), 200, {
    path: 'limits.running_per_namespace',
    description: 'How many jobs of one namespace run at once; more wait.',
  }),
  maxQueuedPerNamespace: set(whole(1, 1_000_000), 10_000, {
    path: 'limits.queued_per_namespace',
    description: 'How many jobs of one namespace may wait; more are refused.',
  }),
  maxCronJobsPerNamespace: set(whole(1, 1_000_000), 10_000, {
    path: 'limits.cron_jobs_per_namespace',
    description: 'How many cron jobs one namespace may have; more are refused.',
  }),
  maxRunningPerTarget: set(whole(1, 100_000), 64, { path: 'limits.running_per_target', description: 'How many jobs run at once on one target.' }),
  cpuCapacity: unset(whole(1, 100_000), {
    path: 'limits.cpu',
    otherwise: 'what this machine has',
    description: 'How many cores the cpu-request of running tasks may come to together; more wait.',
  }),
  memoryCapacityBytes: unset(whole(1, 999_999_999_999_999), {
    path: 'limits.memory_bytes',
    otherwise: 'what this machine has',
    description: 'How many bytes the memory-request of running tasks may come to together; more wait.',
  }),
  outputLimitBytes: set(whole(1024, 1_000_000_000), 16 * 1024 * 1024, {
    path: 'limits.output_bytes',
    description: 'How many bytes of output one attempt of a step keeps.',
  }),
  bodyLimitBytes: set(whole(1024, 100_000_000), 1024 * 1024, {
    path: 'limits.body_bytes',
    description: 'How large the body of an API request may be; pushes are not counted.',
  }),
  deployDays: set(whole(1, 36_500), 14, { path: 'retention.deploy_days', description: 'How many days ended tasks and pipelines are kept.' }),
  workflowDays: set(whole(1, 36_500), 90, { path: 'retention.workflow_days', description: 'How many days ended workflow jobs are kept.' }),
  keepRuns: set(whole(1, 100_000_000), 100_000, { path: 'retention.keep', description: 'How many ended runs of one kind are kept at most.' }),
  keptAsideDays: set(whole(0, 36_500), 30, {
    path: 'retention.kept_aside_days',
    description: 'How many days a deleted repository can still be brought back by an operator.',
  }),
} as const satisfies Record<string, Key>

type KeyName = keyof typeof keys
type ValueOf<K> = K extends { readonly kind: Kind<infer T>; readonly default: infer D } ? (D extends null ? T | null : T) : never

/** The configuration as it was loaded: every key of the table. */
type Values = { readonly [K in KeyName]: ValueOf<(typeof keys)[K]> }

/** Where a value came from. */
type Source = 'default' | 'file' | 'environment' | 'flag'

/** The table for code that walks over all of it. */
const keyList: readonly (readonly [KeyName, Key])[] = Object.entries(keys) as [KeyName, Key][] // Object.entries forgets the names

/** Variables that only the command line client reads. A server that sees them does not mind. */
const clientVariables = {
  CAPSTAN_SERVER: 'The server that commands talk to; otherwise the one that was signed in to last.',
  CAPSTAN_TOKEN: 'A session token or API key for commands; otherwise the one that "capstan login" stored.',
} as const

export type { Key, KeyName, Values, Source }
export { keys, keyList, clientVariables }
