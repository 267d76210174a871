import { first } from './0001-first.ts'
import { pullRequests } from './0002-pull-request.ts'
import { loadings } from './0003-loading.ts'
import { followers } from './0004-follower.ts'
import { webhooks } from './0005-webhook.ts'
import { workflows } from './0006-workflow.ts'
import { triggerEvents } from './0007-trigger-event.ts'
import { gists } from './0008-gist.ts'
import { commitComments } from './0009-commit-comment.ts'
import { userTitles } from './0010-user-title.ts'
import { rareRuns } from './0011-rare-runs.ts'
import type { Migration } from './migration.ts'

/** All migrations in order. A new one is a new file and a line here. */
export const migrations: readonly Migration[] = [
  first,
  pullRequests,
  loadings,
  followers,
  webhooks,
  workflows,
  triggerEvents,
  gists,
  commitComments,
  userTitles,
  rareRuns,
]
