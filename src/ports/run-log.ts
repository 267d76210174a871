/**
 * Output of runs: append-only, one log per step attempt, already masked by who writes it. Offsets are bytes.
 */
export type RunLog = {
  /** Appends and resolves with the size after it. */
  append(log: LogName, bytes: Uint8Array): Promise<number>
  size(log: LogName): Promise<number>
  read(log: LogName, options: { offset: number; limit: number }): Promise<Uint8Array>
  /** Calls back (at most every 50 ms) after the log grew in this process or another one of the same data folder. */
  watch(log: LogName, listener: () => void): () => void
  /** Nothing more will be appended for now: frees what was held open and tells followers. Whether a log is complete, its step's state says. */
  finish(log: LogName): Promise<void>
  /** Removes all logs of a run. */
  remove(runId: string): Promise<void>
  close(): Promise<void>
}

export type LogName = { readonly run: string; readonly step: string; readonly attempt: number }
