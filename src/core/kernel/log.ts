/** Log lines are events with fields, never sentences made of values: `log.info('run.started', { run })`. */
export type Log = {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
