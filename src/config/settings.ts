import type { Settings } from '../core/operation/settings.ts'
import type { Config } from './load.ts'

/** The part of the configuration that core acts upon. `reservedSegments` are the first path segments that routes use. */
function settingsOf(config: Config, reservedSegments: ReadonlySet<string>): Settings {
  return {
    publicUrl: config.publicUrl,
    gatewayUrl: config.gatewayPort === 0 ? null : config.gatewayUrl,
    registration: config.registration,
    defaultOrganisation: config.defaultOrganisation,
    sessionHours: config.sessionHours,
    openRoutes: config.openRoutes,
    requireIdentityEverywhere: config.requireIdentityEverywhere,
    trustedIdentityPeers: config.trustedIdentityPeers,
    allowedOrigins: config.allowedOrigins,
    gitTimeoutMs: config.gitTimeoutMs,
    maxParallelTasksPerPipeline: config.maxParallelTasksPerPipeline,
    maxRunningPerNamespace: config.maxRunningPerNamespace,
    maxQueuedPerNamespace: config.maxQueuedPerNamespace,
    maxCronJobsPerNamespace: config.maxCronJobsPerNamespace,
    maxRunningPerTarget: config.maxRunningPerTarget,
    capacity: { cpu: config.cpuCapacity, memoryBytes: config.memoryCapacityBytes },
    outputLimitBytes: config.outputLimitBytes,
    defaultRuntime: config.defaultRuntime,
    unsandboxed: config.unsandboxed === 'allow',
    retention: { deployDays: config.deployDays, workflowDays: config.workflowDays, keep: config.keepRuns },
    keptAsideDays: config.keptAsideDays,
    reservedSegments,
  }
}

export { settingsOf }
