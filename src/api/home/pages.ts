import { createHash } from 'node:crypto'
import { escaped } from '../html.ts'
import { version } from '../../core/kernel/version.ts'

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { margin: 0 auto; max-width: 40rem; padding: 2rem 1rem }
h1 { font-size: 1.75rem; margin: 0 0 .25rem }
li { margin: .25rem 0 }
form { display: grid; gap: 1rem; margin-top: 1.5rem }
label { display: grid; gap: .25rem; font-weight: 600 }
input, button { font: inherit; padding: .5rem .75rem; border: 1px solid #767676; border-radius: .375rem }
button { background: #1d4ed8; border-color: #1d4ed8; color: #fff; font-weight: 600; cursor: pointer; justify-self: start }
:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px }
[role=status] { min-height: 1.5rem }
`

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`
}

const home = page(
  'Capstan',
  `<main>
<h1>Capstan</h1>
<p>A delivery control plane: it hosts code, delivers it, automates around it and governs all of it. This is version ${version}.</p>
<h2>For people</h2>
<ul>
<li>The command line: <code>npx capstan login</code> with this address, then <code>npx capstan --help</code></li>
<li>Repositories: <code>git clone</code> with this address and the path of a repository</li>
</ul>
<h2>For programs</h2>
<ul>
<li><a href="/api/v1/openapi.json">The native API</a>, as an OpenAPI document</li>
<li><a href="/healthz">Alive</a>, <a href="/readyz">ready</a>, <a href="/metrics">figures</a></li>
</ul>
</main>`,
)

const bootstrap = page(
  'First administrator · Capstan',
  `<main>
<h1>First administrator</h1>
<p>This link works once. The account that you make here administers this server.</p>
<noscript><p>This page needs JavaScript. Without it, send <code>token</code>, <code>name</code>, <code>email</code> and <code>password</code> as JSON to <code>POST /api/v1/bootstrap.redeem</code>.</p></noscript>
<form id="form">
<label>Name <input name="name" required maxlength="100" autocomplete="username" autocapitalize="none" spellcheck="false"></label>
<label>E-mail address <input name="email" type="email" required maxlength="254" autocomplete="email"></label>
<label>Password <input name="password" type="password" required minlength="8" maxlength="1000" autocomplete="new-password"></label>
<button>Create the administrator</button>
<p role="status" id="said"></p>
</form>
</main>
<script src="/bootstrap/form.js" defer></script>`,
)

// The token may stand behind "#", where it reaches neither this server's nor a proxy's log; it is taken out of the address bar at once.
const bootstrapScript = `const form = document.getElementById('form')
const said = document.getElementById('said')
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? new URLSearchParams(location.search).get('token')
history.replaceState(null, '', location.pathname)
if (!token) said.textContent = 'The link is not complete: copy all of it from the terminal.'
form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const { name, email, password } = Object.fromEntries(new FormData(form))
  said.textContent = 'One moment.'
  try {
    const body = JSON.stringify({ token, name, email, password })
    const answer = await fetch('/api/v1/bootstrap.redeem', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const output = await answer.json()
    if (!answer.ok) {
      said.textContent = output.error.message
      return
    }
    form.replaceChildren(said)
    said.textContent = name + ' is the administrator now. Sign in with: npx capstan login ' + location.origin
  } catch {
    said.textContent = 'The server did not answer. Try again.'
  }
})
`

/** The page where people sign in. `fields` go back with the form; `said` is why it is shown again. */
function signInPage(fields: Readonly<Record<string, string>>, said: string | null): string {
  const hidden = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`)
  return page(
    'Sign in · Capstan',
    `<main>
<h1>Sign in</h1>
<form method="post" action="/login">
${hidden.join('\n')}
<label>Name or e-mail address <input name="login" required maxlength="320" autocomplete="username" autocapitalize="none" spellcheck="false"></label>
<label>Password <input name="password" type="password" required maxlength="1024" autocomplete="current-password"></label>
<button>Sign in</button>
<p role="status">${said === null ? '' : escaped(said)}</p>
</form>
</main>`,
  )
}

/** The pages as they are sent; nothing in them comes from a request. */
export const pages = { home, bootstrap, bootstrapScript, styleHash: `sha256-${createHash('sha256').update(style).digest('base64')}` }
export { signInPage }
