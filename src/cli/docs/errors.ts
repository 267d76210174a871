import { faults } from '../../core/kernel/fault.ts'
import { exitOf, exits } from '../exit.ts'
import { advice } from './advice.ts'
import { generated, table } from './markdown.ts'
import type { FaultCode } from '../../core/kernel/fault.ts'

/** `docs/errors.md`, from the table of faults. */
function errorsPage(): string {
  const codes = Object.keys(faults) as FaultCode[] // Object.keys forgets the names
  const rows = codes.map((code) => [`[\`${code}\`](#${code})`, String(faults[code].status), faults[code].retry ? 'yes' : 'no', exitWord(code)])
  return `${generated}
# Errors

Every failure that is expected has one of these codes. The native API answers with the status and \`{"error": {"code", "message", "details"?}}\`;
every other API translates the code into its own form. \`details.problems\` lists what is wrong with an input or a document: \`path\` (a JSON pointer),
\`code\` and \`message\`. Words in braces are filled in. Where trying again can help, the answer has \`Retry-After\`.

Every answer carries \`X-Request-Id\`; an operator finds the request in the log by it.

${table(['code', 'HTTP status', 'try again', 'exit status of a command'], rows)}
${codes.map(section).join('\n')}`
}

function exitWord(code: FaultCode): string {
  return String(exits[exitOf(code, faults[code].status)].status)
}

function section(code: FaultCode): string {
  const { user, operator } = advice[code]
  return `## ${code}

> ${faults[code].message}

- **Who called:** ${user}
- **Who operates the server:** ${operator}
`
}

export { errorsPage }
