import type { Config } from '../config/load.ts'
import type { AnyOperation } from '../core/operation/operation.ts'
import type { Services } from '../core/operation/services.ts'
import type { ImportReport } from '../core/import/report.ts'

/** A server, built and not yet listening. */
export type App = {
  readonly services: Pick<Services, 'log'>
  /** `lines` are for the operator: what the first start made. They come later, never reject, and are not waited for. */
  listen(): Promise<{ readonly address: string; readonly lines?: Promise<readonly string[]> }>
  close(): Promise<void>
  /** What the bootstrap link carries; null when there is an administrator. */
  readonly bootstrapToken: string | null
}

/** What `src/app.ts` gives the commands that need the whole server. Logs nothing above `debug` before it listens: a refusal is one line. */
export type AppModule = {
  createApp(config: Config): Promise<App>
  /** Writes a consistent copy of everything to `file`; gives lines for the operator. */
  backup(config: Config, file: string): Promise<readonly string[]>
  /** Puts a backup into an empty data folder. */
  restore(config: Config, file: string): Promise<readonly string[]>
  /** Tries a package of a plugin. */
  checkPlugin(
    config: Config,
    folder: string,
  ): Promise<readonly { readonly what: string; readonly outcome: 'ok' | 'failed' | 'note'; readonly why: string }[]>
  /** Brings what an installation of Kallithea holds; no server may run on the data folder. */
  importKallithea(config: Config, order: KallitheaImport): Promise<ImportReport>
}

/** What to bring, and how. */
export type KallitheaImport = {
  /** The file of an SQLite database, or the address of one in PostgreSQL. */
  readonly database: string
  /** The folder of its repositories. */
  readonly repositories: string
  readonly dryRun: boolean
  readonly sameUsers: boolean
  /** What things are to be called here, by `<kind>:<name there>`. */
  readonly names: ReadonlyMap<string, string>
  readonly signal: AbortSignal
  /** Hears what is under way. */
  readonly progress: (step: string) => void
}

/** What the commands reach, loaded when a command needs it: the commands themselves must be quick to start. */
export type Seams = {
  readonly app: () => Promise<AppModule>
  readonly operations: () => Promise<readonly AnyOperation[]>
}
