/** Where a command writes and reads; tests hand in their own. */
type Terminal = {
  out(text: string): void
  err(text: string): void
  /** Whether somebody sits there and can be asked. */
  readonly interactive: boolean
  /** Asks for a line; `hidden` does not show what is typed. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
  /** All of standard input. */
  readAll(): Promise<string>
}

const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get interactive() {
    return process.stdin.isTTY === true && process.stderr.isTTY === true
  },
  async ask(question, { hidden = false } = {}) {
    const [{ createInterface }, { Writable }] = await Promise.all([import('node:readline/promises'), import('node:stream')])
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input: process.stdin, output: hidden ? nowhere : process.stderr, terminal: true })
    lines.once('SIGINT', () => process.exit(130))
    try {
      if (hidden) process.stderr.write(question)
      const answer = await lines.question(hidden ? '' : question)
      if (hidden) process.stderr.write('\n')
      return answer
    } finally {
      lines.close()
    }
  },
  async readAll() {
    let text = ''
    process.stdin.setEncoding('utf8')
    for await (const chunk of process.stdin) text += chunk
    return text
  },
}

/** Text of others for a terminal: one line, without anything that moves the cursor or turns the reading direction. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}')
}

/** Output of jobs for a terminal: lines, tabs and colours stay; what writes titles, moves the cursor or asks the terminal something goes. */
function harmless(text: string): string {
  // A colour is `ESC [ digits ; … m`; every other escape begins with the same character.
  return text
    .split(/(\u001b\[[\d;]{0,30}m)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/[^\P{Cc}\n\t\r]|[\u202a-\u202e\u2066-\u2069]/gu, '')))
    .join('')
}

/** JSON for a terminal: what JSON leaves as it is but a terminal obeys is written as an escape. */
function safeJson(value: unknown): string {
  const asEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value, null, 2).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, asEscape)
}

export type { Terminal }
export { processTerminal, oneLine, harmless, safeJson }
