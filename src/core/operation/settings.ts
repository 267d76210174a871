/** What an operator can set and core acts upon; `src/config/schema.ts` says where each comes from and what is the default. */
export type Settings = {
  /** The address that callers see, without a slash at the end. */
  readonly publicUrl: string
  /** Where published services are reached, without a slash at the end; null while there is no gateway. */
  readonly gatewayUrl: string | null
  readonly registration: 'approval' | 'first' | 'open' | 'closed'
  readonly defaultOrganisation: string
  readonly sessionHours: number
  /** Who hears the Deploy API's open routes: everybody everything, or what `everyone` may read. */
  readonly openRoutes: 'all' | 'granted'
  readonly requireIdentityEverywhere: boolean
  readonly trustedIdentityPeers: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly gitTimeoutMs: number
  readonly maxParallelTasksPerPipeline: number
  readonly maxRunningPerNamespace: number
  readonly maxQueuedPerNamespace: number
  readonly maxCronJobsPerNamespace: number
  readonly maxRunningPerTarget: number
  /** What the requests of running tasks may come to together. `cpu` in cores. */
  readonly capacity: { readonly cpu: number; readonly memoryBytes: number }
  readonly outputLimitBytes: number
  readonly defaultRuntime: string
  readonly unsandboxed: boolean
  readonly retention: { readonly deployDays: number; readonly workflowDays: number; readonly keep: number }
  readonly keptAsideDays: number
  /** First path segments that routes use: no repository may be named so. */
  readonly reservedSegments: ReadonlySet<string>
}
