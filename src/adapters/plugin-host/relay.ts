import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'

// Runs inside of a plugin's sandbox, which has no network: carries what comes in at one end of each door to the other. The doors that lead out end at
// sockets of the server, which judges every address; the one that leads in is for plugins that can listen on a port only.
// Arguments: `out:<port>:<socket>` listens on the port, `in:<socket>:<port>` on the socket; `held` before them: it ends with its standard input.
// It imports nothing of ours: it is run where nothing of ours is.

const held = process.argv[2] === 'held'
if (held) process.stdin.on('end', () => process.exit()).resume()

const doors = process.argv.slice(held ? 3 : 2).map((door) => {
  const [way = '', from = '', to = ''] = door.split(':')
  return way === 'out'
    ? { listen: { host: '127.0.0.1', port: Number(from) }, to: { path: to } }
    : { listen: { path: from }, to: { host: '127.0.0.1', port: Number(to) } }
})

let left = doors.length
for (const { listen, to } of doors) {
  if ('path' in listen) rmSync(listen.path, { force: true })
  const server = createServer({ allowHalfOpen: true }, (one) => {
    const other = connect({ ...to, allowHalfOpen: true })
    const end = () => {
      one.destroy()
      other.destroy()
    }
    one.on('error', end)
    other.on('error', end)
    one.pipe(other)
    other.pipe(one)
  })
  server.on('error', () => process.exit(1))
  server.listen(listen, () => {
    left -= 1
    if (left > 0) return
    writeSync(1, 'ready')
    // Whoever waits for the word waits for the end of the file. Its number must not go to a connection: streams ask for it.
    closeSync(1)
    openSync('/dev/null', 'w')
  })
}
