import { exits } from './exit.ts'

/** Where a command writes and reads; tests hand in their own. */
type Terminal = {
  out(text: string): void
  err(text: string): void
  /** Whether somebody sits there and can be asked. */
  readonly interactive: boolean
  /** What can be drawn on, where output goes to a screen; null: it goes to a file or a program. */
  readonly screen: { readonly columns: number; readonly rows: number } | null
  /** Runs something that goes on until it is done or interrupted (Ctrl-C): then the signal is aborted, and a second one ends the process. */
  interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Opens an address in the browser of whoever sits there; false: there is none. */
  browse(url: string): Promise<boolean>
  /** Asks for a line; `hidden` does not show what is typed. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
  /** All of standard input. */
  readAll(): Promise<string>
}

const openers: Readonly<Partial<Record<NodeJS.Platform, string>>> = { linux: 'xdg-open', freebsd: 'xdg-open', darwin: 'open' }
// An opener that has not given up by then has become the browser.
const browserWithinMs = 2000

const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get interactive() {
    return process.stdin.isTTY === true && process.stderr.isTTY === true
  },
  get screen() {
    const { isTTY, columns, rows } = process.stdout
    return isTTY ? { columns: columns || 80, rows: rows || 24 } : null
  },
  async interruptible(work) {
    const stop = new AbortController()
    const end = () => stop.abort()
    const signals = ['SIGINT', 'SIGTERM'] as const
    for (const signal of signals) process.once(signal, end)
    try {
      return await work(stop.signal)
    } finally {
      for (const signal of signals) process.off(signal, end)
    }
  },
  async browse(url) {
    const program = openers[process.platform]
    if (!program) return false
    const { spawn } = await import('node:child_process')
    return new Promise((resolve) => {
      // Its output would be written over ours, and it may go on for as long as the browser does.
      const child = spawn(program, [url], { stdio: 'ignore', detached: true })
      child.once('error', () => resolve(false))
      child.once('spawn', () => child.unref())
      const goesOn = setTimeout(() => resolve(true), browserWithinMs)
      child.once('exit', (code) => {
        clearTimeout(goesOn)
        resolve(code === 0)
      })
    })
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

/** Ends this process without a word when the program that reads its output ends first, as `head` does. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(exits.unread.status)
  })
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

/** A text as one word of a command line of a shell, with what a terminal obeys replaced. */
function shellWord(text: string): string {
  return /^[\w./:@=+-]+$/.test(text) ? text : `'${oneLine(text).replaceAll("'", `'\\''`)}'`
}

export type { Terminal }
export { processTerminal, endWithReader, oneLine, harmless, safeJson, shellWord }
