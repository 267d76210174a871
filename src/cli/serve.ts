import { ConfigError, loadConfig } from '../config/load.ts'
import { warningsOf } from '../config/warnings.ts'
import type { Config } from '../config/load.ts'
import type { App, AppModule } from './seams.ts'

const stopWithinMs = 9000

/** Runs the server until it is told to stop. Gives the exit status; a refusal to start is one line on standard error. */
export async function serve(flags: readonly string[], load: () => Promise<AppModule>): Promise<number> {
  if (flags.includes('--help') || flags.includes('-h')) {
    const { configHelp } = await import('./config-help.ts')
    process.stdout.write(`Usage: capstan serve [flags]\n\nRuns the server.\n\n${configHelp()}`)
    return 0
  }
  const stop = stopSignal()
  let app: App | undefined
  // Timers of the clock hold no process, and a start may have nothing else to wait for: what a killed server left at work takes a while to end.
  const held = setInterval(() => {}, 60_000)
  try {
    const config = await loadConfig({ flags })
    const { createApp } = await load()
    app = await createApp(config)
    endOnDefects(app)
    announce(config, app, await app.listen())
  } catch (error) {
    process.stderr.write(`${refusalOf(error)}\n`)
    await app?.close().catch(() => {})
    return 1
  } finally {
    clearInterval(held)
  }
  keepCompiled()
  await stop
  return close(app)
}

function announce(config: Config, app: App, { address, lines }: Awaited<ReturnType<App['listen']>>): void {
  // Any free port (0) is known only now.
  const publicUrl = config.port === 0 && config.sources.publicUrl === 'default' ? address : config.publicUrl
  const elsewhere = publicUrl === address ? '' : ` and is reached as ${publicUrl}`
  const said = [`Capstan listens on ${address}${elsewhere}`]
  // Behind "#" the token reaches no log of a proxy, and no Referer.
  if (app.bootstrapToken !== null) said.push(`Make the first administrator at ${publicUrl}/bootstrap#token=${app.bootstrapToken}`)
  say(said)
  void lines?.then(say)
  for (const warning of warningsOf(config)) app.services.log.warn('config.warning', { warning })
}

function say(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`)
}

/** Resolves with the first signal that asks to stop; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const ask = () => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGTERM', ask)
    process.on('SIGINT', ask)
  })
}

async function close(app: App): Promise<number> {
  // What is durable is durable: a part that cannot end in time is cut off, and found by the next start.
  setTimeout(() => {
    app.services.log.error('stop.cut_off', { after_ms: stopWithinMs })
    process.exit(0)
  }, stopWithinMs).unref()
  try {
    await app.close()
  } catch (error) {
    app.services.log.error('stop.failed', { error })
    process.exit(1)
  }
  process.exit(0)
}

// After a defect nobody knows what still holds. A crash is recovered from; a server that goes on half broken is not.
function endOnDefects(app: App): void {
  const end = (event: string) => (error: unknown) => {
    app.services.log.error(event, { error })
    process.exit(1)
  }
  process.on('uncaughtException', end('process.uncaught_exception'))
  process.on('unhandledRejection', end('process.unhandled_rejection'))
}

// The cache is otherwise written at exit, which a killed server never reaches.
function keepCompiled(): void {
  setTimeout(async () => (await import('node:module')).flushCompileCache(), 2000).unref()
}

/** One line for the operator who cannot start the server. */
function refusalOf(error: unknown): string {
  return `Capstan does not start: ${error instanceof ConfigError ? error.message : whyNot(error)}`
}

/** Why something of this machine cannot be used, in one line. */
export function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return oneLineOf(String(error))
  const { code, syscall, port, address, path } = error as NodeJS.ErrnoException & { port?: number; address?: string }
  const where = `${address ?? ''}:${port ?? ''}`
  if (code === 'EADDRINUSE') return `the address ${where} is in use already. Stop what listens there, or set CAPSTAN_PORT.`
  if (code === 'EACCES' && syscall === 'listen') return `the address ${where} may not be taken (EACCES). Choose a port above 1023 with CAPSTAN_PORT.`
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo') return `this machine does not have the address of CAPSTAN_HOST (${code}).`
  // The store refuses in words that are meant for the operator.
  if (error.name === 'StoreRefused') return oneLineOf(error.message)
  if (code && path && syscall)
    return `${oneLineOf(path)} cannot be used (${syscall}: ${code}). Choose another folder with CAPSTAN_DATA, or give this user the right to write there.`
  return oneLineOf(error.message)
}

function oneLineOf(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 500)
}
