import { createHash } from 'node:crypto'
import { fault, isFault } from '../../core/kernel/fault.ts'
import { bearerToken } from '../bearer.ts'
import { readCookie } from '../cookie.ts'
import { escaped } from '../html.ts'
import { toFault } from '../to-fault.ts'
import { uuid } from './decode.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../core/identity/principal.ts'
import type { ApiHost } from '../api.ts'
import type { JobView, StepView } from './encode-job.ts'

const via = 'komand'
const cookies = ['jwt', 'capstan_session', 'authtoken'] as const

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem }
h1 { font-size: 1.75rem; margin: 0 0 .25rem }
table { border-collapse: collapse; width: 100% }
th, td { border-bottom: 1px solid #767676; padding: .375rem .5rem; text-align: left; vertical-align: top }
td { overflow-wrap: anywhere }
`
const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`

type Shown = JobView & { readonly message?: string | null; readonly started_by?: string }

/** The page for people behind `job_url` (contract §6.1, §7.5): whoever may read the job, signed in with a cookie or a token, sees how it went. */
function addJobPage(http: FastifyInstance, host: ApiHost): void {
  http.get<{ Params: { id: string } }>('/jobs/details/:id', async (request, reply) => {
    try {
      const origin = host.originOf(request, via)
      const call = { principal: await visitor(request, host), origin }
      const job = uuid(request.params.id, 'job')
      const shown = await host.invoke<Shown>(call, 'job.get', { job })
      const { items } = await host.invoke<{ items: StepView[] }>(call, 'job.list-steps', { job })
      return send(reply, `${shown.name}: ${shown.status}`, jobBody(shown, items))
    } catch (error) {
      const refused = isFault(error) ? error : toFault(error, request, host.log)
      const signIn = refused.status === 401 ? '<p><a href="/login">Sign in</a>, then open this address again.</p>' : ''
      return send(reply.code(refused.status), 'Job', `<h1>Job</h1>\n<p>${escaped(refused.message)}</p>\n${signIn}`)
    }
  })
}

async function visitor(request: FastifyRequest, host: ApiHost): Promise<Principal> {
  const origin = host.originOf(request, via)
  const bearer = bearerToken(request.headers.authorization)
  if (bearer !== undefined) return host.identify({ form: 'bearer', token: bearer }, origin)
  for (const name of cookies) {
    const token = readCookie(request.headers.cookie, name)
    if (token !== undefined) return host.identify({ form: 'cookie', token }, origin)
  }
  throw fault('unauthenticated')
}

const mostSteps = 500

function jobBody(job: Shown, steps: readonly StepView[]): string {
  const facts: [string, string][] = [
    ['Status', job.status],
    ['Created', job.created_at],
    ...(job.ended_at === null ? [] : [['Ended', job.ended_at] as [string, string]]),
    ['Seconds', String(job.time_spent)],
    ...(job.started_by ? [['Started by', job.started_by] as [string, string]] : []),
    ...(job.failed_step ? [['Failed at', job.failed_step.name] as [string, string]] : []),
    ...(job.message ? [['Message', job.message] as [string, string]] : []),
  ]
  const rows = steps.slice(0, mostSteps).map((step) => row([step.name, step.type, step.status, step.started_at ?? '', step.error ?? '']))
  const rest = steps.length > mostSteps ? `<p>${steps.length - mostSteps} further steps are not shown here.</p>` : ''
  return `<h1>${escaped(job.name)}</h1>
<table>
<tbody>
${facts.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join('\n')}
</tbody>
</table>
<h2>Steps</h2>
<table>
<thead><tr><th scope="col">Step</th><th scope="col">Type</th><th scope="col">Status</th><th scope="col">Started</th><th scope="col">Error</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
${rest}`
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
}

function send(reply: FastifyReply, title: string, body: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', policy)
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · Capstan</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`)
}

export { addJobPage }
