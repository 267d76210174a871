import { clientVariables, keyList } from '../../config/schema.ts'
import { defaultOf } from '../config-help.ts'
import { exits } from '../exit.ts'
import { generated, table } from './markdown.ts'

/** `docs/configuration.md`, from the table of keys. */
function configurationPage(): string {
  const rows = keyList.map(([, key]) => [
    `\`${key.path}\``,
    `\`${key.environment}\``,
    key.secret ? '–' : `\`${key.flag}\``,
    key.kind.wanted,
    defaultOf(key).replace(/^default: /, ''),
    key.description,
  ])
  return `${generated}
# Configuration

Nothing has to be configured. A setting comes from \`capstan.toml\` in the working directory, is overruled by the environment, and that by a flag of
\`capstan serve\` (after \`npm start --\`). A key, flag or \`CAPSTAN_\` variable that is not in these tables, or a value that does not fit, stops the start
with one line that names it. An empty variable counts as not set. \`capstan config\` shows what is in effect and where it comes from.

In \`capstan.toml\` a dot in a key is a table, and a list may be an array:

\`\`\`toml
port = 9120
trusted_proxies = ["10.0.0.5/32"]

[deploy_api]
open_routes = "granted"
\`\`\`

Secrets have no flag, because everybody on a machine can read command lines.

## Of the server

${table(['key', 'environment', 'flag', 'value', 'default', 'what it does'], rows)}
A flag for a setting that is true or false takes no value: \`--sample\`, \`--no-sample\`.

## Of commands

${table(
  ['environment', 'what it does'],
  Object.entries(clientVariables).map(([name, what]) => [`\`${name}\``, what]),
)}
\`capstan login\` keeps tokens in \`$XDG_CONFIG_HOME/capstan/credentials.json\` (\`~/.config\` otherwise), readable by its owner alone.

## Exit statuses of commands

${table(
  ['status', 'meaning'],
  Object.values(exits).map(({ status, meaning }) => [String(status), meaning]),
)}`
}

export { configurationPage }
