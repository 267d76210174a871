import { becomesReady, startSupervisor } from './supervisor-child.ts'
import { orderOf, textOf } from './spawner-words.ts'
import type { Said } from './spawner-words.ts'
import type { SupervisorChild } from './supervisor-child.ts'

// A small process that starts supervisors in the server's place: to make a process takes a large one milliseconds in which it does nothing else.
// It is told by lines of its input what to do, says by lines of its output what became of it, and ends with its input. What it started goes on then.

const waiting = new Map<string, SupervisorChild>()

function begin(token: string): void {
  const supervisor = startSupervisor(token)
  if (supervisor === null) {
    say({ what: 'not-ready', token })
    say({ what: 'ended', token })
    return
  }
  waiting.set(token, supervisor)
  supervisor.child.once('error', () => say({ what: 'ended', token }))
  supervisor.child.once('exit', () => say({ what: 'ended', token }))
  void becomesReady(supervisor).then((ready) => {
    release(token)
    say({ what: ready ? 'ready' : 'not-ready', token })
  })
}

function release(token: string): void {
  waiting.get(token)?.input.destroy()
  waiting.get(token)?.ready.destroy()
  waiting.delete(token)
}

function say(said: Said): void {
  process.stdout.write(textOf(said))
}

let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (text: string) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) {
    const order = orderOf(line)
    if (order.what === 'begin') begin(order.token)
    else if (order.what === 'give') waiting.get(order.token)?.input.end(`${order.folder}\n${order.message ?? ''}`)
    else release(order.token)
  }
})
process.stdin.on('end', () => process.exit())
process.stdout.on('error', () => process.exit()) // nobody listens any more
say({ what: 'up', token: '' })
