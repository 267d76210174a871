import { homedir } from 'node:os'
import { join } from 'node:path'

/** What the command line client takes from its environment. */
type ClientEnvironment = {
  /** The file that `capstan login` keeps tokens in. */
  readonly credentialsFile: string
  readonly server: string | null
  readonly token: string | null
}

/** Reads the client's environment; nothing but `src/config` reads variables. */
function clientEnvironment(environment: Readonly<Record<string, string | undefined>> = process.env): ClientEnvironment {
  const folder = environment['XDG_CONFIG_HOME'] || join(environment['HOME'] || homedir(), '.config')
  return {
    credentialsFile: join(folder, 'capstan', 'credentials.json'),
    server: environment['CAPSTAN_SERVER'] || null,
    token: environment['CAPSTAN_TOKEN'] || null,
  }
}

export type { ClientEnvironment }
export { clientEnvironment }
