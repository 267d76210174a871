/**
 * Where work runs. A driver turns one attempt of one step into a process, a container or a Kubernetes Job, and can find it again after the server was
 * killed. It knows nothing of runs, permissions or the store.
 *
 * Names are deterministic (`<run id>-<step>-<attempt>`), chosen and made durable by the engine before `start`: a second `start` of one name finds the
 * first and is no error, so nothing can be started twice.
 */
type Runtime = {
  readonly name: string
  readonly capabilities: RuntimeCapabilities

  /** Why no work can be started here now, or null. Shown by /readyz and by a waiting step. */
  unavailable(): Promise<string | null>

  /**
   * Starts the attempt, or finds the one that was started under this name. Resolves when the work exists and is recorded so that `recover` finds it.
   * Work that had ended already by then comes back with its `exit`.
   * Throws `StartError` when it cannot be started.
   */
  start(work: Work): Promise<Started>

  /** Finds work by its name after a restart: still there (or ended, and its exit known), never started, or gone without a trace of its end. */
  recover(name: string): Promise<Recovered>

  /** Resolves when nothing of the work is left: the first process and all that it started. Rejects only with the signal's reason. */
  wait(handle: Handle, options: { signal: AbortSignal }): Promise<Exit>

  /** Ends the work: the polite signal, `graceMs` of patience, then the hard one, for the whole group. Resolves when nothing is left of it. */
  stop(handle: Handle, options: { graceMs: number }): Promise<void>

  /**
   * Output (standard output and error as they came) from byte `offset` on, as it grows, until the work has ended and everything was read. The driver keeps at most
   * `Work.outputLimit` bytes; what is beyond is dropped, and counted in `Exit.outputDropped`.
   */
  output(handle: Handle, options: { offset: number; signal: AbortSignal }): AsyncIterable<Uint8Array>

  /** Forgets ended work and frees what it held (folder, container). Harmless when repeated. */
  remove(name: string): Promise<void>

  /** Names of all work that this driver still knows, ended or not: what no run owns is removed at start. */
  list(): Promise<string[]>

  /** Lets go of everything without ending any work. */
  close(): Promise<void>
}

type RuntimeCapabilities = {
  /** Work goes on when the server is killed, and `recover` finds it. */
  readonly survivesServer: boolean
  /** Runs the files of `code` directly; false: needs an image. */
  readonly code: boolean
  readonly images: boolean
  readonly builds: boolean
  /** Enforces cpu and memory limits here and now. */
  readonly limits: boolean
  /** Keeps the work from reading the data folder and other work. Without it only administrators' work may run. */
  readonly isolated: boolean
}

/** One attempt of one step, complete: nothing has to be looked up to start it. */
type Work = {
  /** `[a-z0-9-]{1,100}`, unique for ever. */
  readonly name: string
  /** The command vector; never passed through a shell. A leading `/code/` of a part is replaced by where `code` was put, if the driver has no such path. */
  readonly command: readonly string[]
  /** The whole environment besides the driver's minimal one (PATH, HOME, LANG, TMPDIR). May hold secrets: never on a command line, never in a log. */
  readonly environment: Readonly<Record<string, string>>
  /** Puts the files of `code/` into an empty folder, which becomes the working directory. Null: an empty working directory. */
  readonly code: ((folder: string) => Promise<void>) | null
  readonly image: string | null
  /** When the image is fetched; absent where none is run. */
  readonly pull?: ImagePull
  readonly limits: { readonly cpu: number | null; readonly memoryBytes: number | null; readonly processes: number | null }
  /** Bytes of output that are kept. */
  readonly outputLimit: number
  readonly labels: Readonly<Record<string, string>>
  /** Knobs of the `fake` driver; other drivers ignore it. */
  readonly fake?: FakeKnobs
}

/** An image is fetched before every start, only where the machine has none of its name, or not at all: then it must be there. */
type ImagePull = 'always' | 'missing' | 'never'

/** What finds the work again: plain data that the store keeps. */
type Handle = { readonly name: string; readonly runtime: string; readonly data: Readonly<Record<string, string | number | null>> }

type Started = {
  readonly handle: Handle
  readonly exit: Exit | null /** What could not be done as asked, for the run's message. */
  readonly warning: string | null
}

type Recovered =
  | { readonly found: 'running'; readonly handle: Handle }
  | { readonly found: 'ended'; readonly handle: Handle; readonly exit: Exit }
  | { readonly found: 'never_started' }
  | { readonly found: 'gone' }

/** How work ended. Without code, signal and `outOfMemory` it vanished, and nobody saw its end. */
type Exit = {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  readonly outOfMemory: boolean
  readonly startedAt: number
  readonly finishedAt: number
  readonly outputDropped: number
}

/** Work could not be started. `retry` says whether trying again later can help. */
class StartError extends Error {
  override readonly name = 'StartError'
  readonly retry: boolean

  constructor(message: string, options: { retry: boolean; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.retry = options.retry
  }
}

type FakeKnobs = {
  /** How long it runs; 0 = ended when `start` resolves. */
  readonly durationMs?: number
  readonly exitCode?: number
  readonly output?: string
  /** `refuse`: start throws; `crash`: vanishes without an exit; `hang`: never ends by itself. */
  readonly behaviour?: 'refuse' | 'crash' | 'hang'
  /** Fails this many first attempts (by the attempt in the name), then ends as the other knobs say. */
  readonly failFirst?: number
}

export type { Runtime, RuntimeCapabilities, Work, ImagePull, Handle, Started, Recovered, Exit, FakeKnobs }
export { StartError }
