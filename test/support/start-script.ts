import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type StartScript = { readonly environment: Readonly<Record<string, string>>; readonly flags: readonly string[] }

/** What `npm start` gives a server: the environment in front of node, and the flags behind it. */
function startScript(): StartScript {
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { scripts: { start: string } }
  const [, assignments = '', flags = ''] = /^(.*?) exec node (.*) dist\/main\.js serve$/.exec(scripts.start) ?? []
  const environment = Object.fromEntries(assignments.split(' ').map((one) => one.split('=', 2)))
  return { environment, flags: flags.split(' ') }
}

export type { StartScript }
export { startScript }
