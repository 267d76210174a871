import { launch } from './launch.ts'
import type { Ground } from './ground.ts'
import type { Running } from './launch.ts'
import type { Program } from './program.ts'
import type { Door } from './way-out.ts'

/** A verb of a plugin that runs, in whatever holds it. */
type Started = Pick<Running, 'input' | 'out' | 'err' | 'ended' | 'end'>

type Starting = {
  readonly signal: AbortSignal
  /** Lays what it finds in the folder that both sides see, before it begins; gives doors besides the one to the network. */
  readonly lay?: (folder: string) => Promise<readonly Door[]>
}

/** A plugin that can be begun with any verb. */
type Callable = {
  /** Its network is cut: what it reaches is reached through doors. */
  readonly cut: boolean
  /** Throws `PluginRefused` when it cannot be begun. */
  begin(verb: readonly string[], starting: Starting): Promise<Started>
}

/** A plugin whose calls are processes on this machine. */
function processOf(ground: Ground, program: Program): Callable {
  return {
    cut: ground.sandbox.cutsNetwork,
    begin: (verb, { lay }) =>
      launch(ground, {
        ...program.launch,
        how: 'message',
        command: (paths) => program.command(paths, verb),
        environment: (paths) => program.environment(paths),
        ...(lay ? { lay } : {}),
      }),
  }
}

export type { Callable, Started, Starting }
export { processOf }
