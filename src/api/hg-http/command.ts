/** What a request asks of Mercurial, as far as it has to be known before Mercurial is asked: the command, and whether it only reads. */
type Asked = {
  readonly command: string
  /** The query without `cmd`, piece by piece as it was sent. */
  readonly query: string
  readonly reads: boolean
}

/** The commands that only read (Kallithea contract §12.4). Every other one, known or not, is taken for a change. */
const readCommands: ReadonlySet<string> = new Set(
  [
    'between branches branchmap capabilities changegroup changegroupsubset changesetdata clonebundles debugwireargs filedata getbundle getlfile',
    'heads hello known lheads listkeys lookup manifestdata narrow_widen protocaps statlfile stream_out',
  ]
    .join(' ')
    .split(' '),
)

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

/** What a request asks; null when it cannot be told: no command, two of them, or arguments in a form that hides what is done (contract §15, D24). */
function askedBy(query: string, headers: Headers): Asked | null {
  // Mercurial would read its arguments out of the body then, and not out of the headers that are looked at here.
  if (headers['x-hgargs-post'] !== undefined) return null
  // Some read a `;` as another `&`.
  if (query.includes(';')) return null
  const pieces = query.split('&').filter((piece) => piece !== '')
  const named = pieces.map((piece) => ({ piece, name: decoded(piece.split('=', 1)[0] ?? ''), value: piece.slice(piece.indexOf('=') + 1) }))
  const commands = named.filter(({ name }) => name === 'cmd')
  const [first] = commands
  const command = first?.piece.includes('=') ? decoded(first.value) : null
  if (commands.length !== 1 || command === null || !/^[A-Za-z0-9_-]{1,100}$/.test(command)) return null
  if (named.some(({ name }) => name === null)) return null
  const rest = named.filter(({ name }) => name !== 'cmd').map(({ piece }) => piece)
  return { command, query: rest.join('&'), reads: command === 'batch' ? isReadBatch(rest, headers) : readCommands.has(command) }
}

/**
 * Whether a batch holds nothing but commands that read. Only one in the numbered headers counts, and as Mercurial reads it: joined, decoded once, and only
 * then split.
 */
function isReadBatch(query: readonly string[], headers: Headers): boolean {
  const text = argumentsOf(headers)
  // With a second argument, or some in the query too, it is Mercurial's choice which one counts.
  if (query.length > 0 || !text.startsWith('cmds=') || text.includes('&')) return false
  const commands = decoded(text.slice('cmds='.length))
  return commands?.split(';').every((part) => readCommands.has(part.split(' ', 1)[0] ?? '')) ?? false
}

// As Mercurial joins them: from 1 on, up to the first number that is missing.
function argumentsOf(headers: Headers): string {
  let text = ''
  for (let number = 1; ; number++) {
    const value = headers[`x-hgarg-${number}`]
    if (typeof value !== 'string') return text
    text += value
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return null
  }
}

export type { Asked }
export { askedBy }
