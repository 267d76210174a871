import type { Json, JsonObject } from '../../core/kernel/json.ts'

/** A definition that is being read from git, or was (Deploy API §12.1). */
type LoadingRow = {
  /** 32 hex digits of 128 random bits: whoever has it may read the outcome. */
  id: string
  kind: 'task' | 'pipeline'
  /** Who asked, so that it can be read again with the same rights after a restart; everyone's id for callers without credentials. */
  user_id: string
  state: 'pending' | 'running' | 'succeeded' | 'failed'
  step: 'resolving' | 'fetching' | 'reading' | 'validating' | 'done'
  repository: string
  directory: string
  /** The branch that was asked for, and then the one that was read; null as long as it is only implied. */
  branch: string | null
  commit: string | null
  /** Bytes of what it keeps. */
  size: number
  created_at: number
  finished_at: number | null
  error: JsonObject | null
  problems: Json[]
  configuration: JsonObject | null
}

type LoadingTable = {
  insert(row: LoadingRow): Promise<void>
  byId(id: string): Promise<LoadingRow | null>
  /** Changes one that has not ended; false when it has, or is gone. */
  update(id: string, patch: Partial<Omit<LoadingRow, 'id' | 'kind' | 'user_id' | 'created_at'>>): Promise<boolean>
  /** How many have not ended, and what a user's unfinished ones and those that ended after `since` come to. */
  usage(userId: string, since: number): Promise<{ open: number; own: number; bytes: number }>
  /** Those that have not ended and were made before `before`, oldest first. */
  unfinished(before: number, limit: number): Promise<LoadingRow[]>
  /** Removes those that ended before `before`. */
  prune(before: number): Promise<number>
}

export type { LoadingRow, LoadingTable }
