import { readingContext } from '../operation/invoke.ts'
import { system } from '../identity/principal.ts'
import { bringGists } from './gists.ts'
import { Ledger } from './ledger.ts'
import { bringEveryone, bringGroups, bringUsers } from './people.ts'
import { bringCommitComments, bringPullRequests } from './pull-requests.ts'
import { ReportBuilder } from './report.ts'
import { bringRepositories, bringRepositoryGroups } from './repositories.ts'
import type { ImportSource } from '../../ports/import-source.ts'
import type { Services } from '../operation/services.ts'
import type { ImportReport } from './report.ts'
import type { ImportOptions, ImportRun } from './run.ts'

/** What of an import is under way, for whoever watches. */
type ImportProgress = (step: string) => void

/**
 * Brings what another installation holds: its users with their passwords and keys, groups, repositories, permissions, gists, and pull requests with what was
 * said on them. Each thing is one commit with a mark of where it came from; so after a kill a second run goes on, and makes nothing twice. One thing that
 * cannot be brought is told in the report and keeps nothing else back. Nothing else may work on the repositories meanwhile.
 */
async function runImport(
  services: Services,
  source: ImportSource,
  options: ImportOptions & { readonly signal: AbortSignal; readonly progress?: ImportProgress },
): Promise<ImportReport> {
  const origin = { via: 'import', peer: '', requestId: services.ids.hex(8) }
  const ctx = readingContext(services, { principal: system, origin, signal: options.signal })
  const run: ImportRun = {
    ctx,
    source,
    options,
    ledger: new Ledger(services.store.reader, source, options),
    report: new ReportBuilder(),
    spare: new Map(),
    pretended: new Set(),
  }
  for (const [step, bringAll] of steps) {
    options.progress?.(step)
    await bringAll(run)
  }
  return run.report.result({ source: `${source.product} ${source.mark}`, dry_run: options.dryRun, left: await source.left() })
}

// Each refers to what came before it.
const steps: readonly (readonly [string, (run: ImportRun) => Promise<void>])[] = [
  ['users', bringUsers],
  ['groups', bringGroups],
  ['groups of repositories', bringRepositoryGroups],
  ['repositories', bringRepositories],
  ['gists', bringGists],
  ['pull requests', bringPullRequests],
  ['comments on commits', bringCommitComments],
  // At the end, so that an import that was broken off has closed nothing to anybody.
  ['everyone', bringEveryone],
]

export type { ImportProgress }
export { runImport }
