import { Agent, createServer, request } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { randomUUID } from 'node:crypto'

// The floors: the least that could do the same work, as programs of their own.
//   floor.ts http PORT            a bare node:http server
//   floor.ts runs PORT DATABASE   fastify; POST stores a run and its first step in one group commit, and a loop records three no-op steps: four commits a run
//   floor.ts read PORT            a bare fastify route with the JSON of a user
//   floor.ts proxy PORT TARGET    a bare node:http proxy before the program on the port TARGET of loopback

const [mode, port = '0', database = ''] = process.argv.slice(2)
if (mode === 'http') createServer((_, answer) => answer.end('ok\n')).listen(Number(port), '127.0.0.1')
if (mode === 'proxy') proxy()
if (mode === 'runs') await runs()
if (mode === 'read') await read()

function proxy(): void {
  const agent = new Agent({ keepAlive: true })
  createServer((asked, answer) => {
    const { method, url, headers } = asked
    const passed = request({ agent, host: '127.0.0.1', port: Number(database), method, path: url, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers)
      found.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  }).listen(Number(port), '127.0.0.1')
}

async function runs(): Promise<void> {
  const db = new DatabaseSync(database)
  db.exec('pragma journal_mode = wal; pragma synchronous = full')
  db.exec(`create table if not exists run (id text primary key, state text not null, name text not null, created_at integer not null, finished_at integer);
    create table if not exists step (id text primary key, run_id text not null, position integer not null, state text not null, at integer not null);
    create index if not exists step_state on step (state) where state = 'queued'`)
  const newRun = db.prepare('insert into run (id, state, name, created_at) values (?, ?, ?, ?)')
  const newStep = db.prepare('insert into step values (?, ?, ?, ?, ?)')
  const endStep = db.prepare('update step set state = ?, at = ? where id = ?')
  const endRun = db.prepare('update run set state = ?, finished_at = ? where id = ?')
  const [begin, commit] = [db.prepare('begin immediate'), db.prepare('commit')]
  let waiting: { work: () => void; done: () => void }[] = []
  let finished = 0
  const grouped = (work: () => void) =>
    new Promise<void>((done) => {
      if (waiting.push({ work, done }) === 1) setImmediate(flush)
    })
  function flush(): void {
    const batch = waiting
    waiting = []
    begin.run()
    for (const { work } of batch) work()
    commit.run()
    for (const { done } of batch) done()
  }
  async function carryOut(id: string): Promise<void> {
    for (let position = 1; position <= 3; position++) {
      await grouped(() => {
        const now = Date.now()
        endStep.run('succeeded', now, `${id}-${position}`)
        if (position < 3) newStep.run(`${id}-${position + 1}`, id, position + 1, 'queued', now)
        else endRun.run('succeeded', now, id)
      })
    }
    finished++
  }
  const { fastify } = await import('fastify')
  const http = fastify()
  http.get('/finished', async () => String(finished))
  http.post<{ Body: { name: string } }>('/runs', async (request) => {
    const id = randomUUID()
    await grouped(() => {
      newRun.run(id, 'queued', request.body.name, Date.now())
      newStep.run(`${id}-1`, id, 1, 'queued', Date.now())
    })
    void carryOut(id)
    return { id }
  })
  await http.listen({ host: '127.0.0.1', port: Number(port) })
}

async function read(): Promise<void> {
  const { fastify } = await import('fastify')
  const user = JSON.parse(database) as object
  const http = fastify()
  http.post('/read', async () => user)
  await http.listen({ host: '127.0.0.1', port: Number(port) })
}
