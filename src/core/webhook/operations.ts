import { fault, problemsFault } from '../kernel/fault.ts'
import { pageRequest, viewPage } from '../kernel/page.ts'
import { Closed, listMembers, OneOf, PageOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { RepositoryMember } from '../repository/inputs.ts'
import { stillThere } from '../repository/place.ts'
import { deliveryOperations } from './delivery-operations.ts'
import { webhookEvents } from './fact.ts'
import { marker } from './runs.ts'
import { NewWebhook, viewWebhook, viewWebhooks, Webhook, webhookContext } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { AnyOperation } from '../operation/operation.ts'

const mostOfOne = 50
const secretLetters = 40

const WebhookMember = Type.String({ maxLength: 300, description: 'Id of a webhook.' })
const urlMember = Type.String({ maxLength: 2000, description: 'An http or https address that events are posted to.' })
const eventsMember = Type.Array(OneOf(webhookEvents), { minItems: 1, maxItems: webhookEvents.length, uniqueItems: true })
const secretMember = Type.String({ minLength: 8, maxLength: 1000, description: 'What posts are signed with; made and shown once when left out.' })

const auditSubject = { subject: (input: { webhook: string }) => `webhook:${input.webhook}`, subjectId: (input: { webhook: string }) => input.webhook }
const example = { webhook: '01981c0e-0000-7000-8000-000000000000' }

const create = defineOperation({
  name: 'webhook.create',
  summary: 'Has events of a repository, or of everything, posted to an address.',
  description:
    'Needs admin on the repository; without one it is for administrators. Each post is signed with the secret (see docs/webhooks.md), and tells only of what its maker may read at that time.',
  input: Closed({
    repository: Type.Optional(RepositoryMember),
    url: urlMember,
    events: Type.Optional(eventsMember),
    secret: Type.Optional(secretMember),
    active: Type.Optional(Type.Boolean()),
  }),
  output: NewWebhook,
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'act',
  secretMembers: ['secret'],
  audit: {
    subject: (_, output) => (output ? `webhook:${output.id}` : ''),
    subjectId: (_, output) => output?.id ?? null,
    detail: (input, output) => ({ repository: output?.repository ?? '', host: hostOf(input.url), events: output?.events ?? [] }),
  },
  example: { repository: 'lab/weather', url: 'https://ci.example.org/hook', events: ['push'] },
  async run(ctx, input, found) {
    const repository = input.repository === undefined ? null : found.repository.row
    if (!repository) onlyAdministrators(ctx, 'webhook.create without a repository')
    await checkAddress(ctx, 'webhook.create', input.url)
    const id = ctx.ids.record()
    const secret = input.secret ?? ctx.ids.letters(secretLetters)
    const view = await ctx.write(async (inside) => {
      if (repository) await stillThere(inside.db, repository, 'repository')
      if ((await inside.db.webhooks.count(repository?.id ?? null)) >= mostOfOne) {
        throw fault('quota_exceeded', { scope: repository ? `The repository "${repository.name}"` : 'This server', limit: `${mostOfOne} webhooks` })
      }
      const now = inside.clock.now()
      const events = [...(input.events ?? webhookEvents)]
      const row = {
        id,
        resource_id: repository?.id ?? null,
        url: input.url,
        events,
        active: input.active ?? true,
        sealed: inside.services.secretBox.seal(secret, webhookContext(id)),
        created_by: inside.principal.id,
        created_by_name: inside.principal.name,
        dropped: 0,
        created_at: now,
        updated_at: now,
      }
      await inside.db.webhooks.insert(row)
      // Ends of runs count from the first webhook that wants to know of them.
      if (events.includes('run')) await inside.db.settings.setOnce(marker, { at: now })
      return { ...(await viewWebhook(inside, row)), secret: input.secret === undefined ? secret : null }
    })
    tell(ctx, id, 'created')
    return view
  },
})

const list = defineOperation({
  name: 'webhook.list',
  summary: 'Lists the webhooks of a repository; without one all that there are, for administrators.',
  input: Closed({ repository: Type.Optional(RepositoryMember), ...listMembers }),
  output: PageOf(Webhook),
  access: 'signed-in',
  subjects: { repository: subject('repository', 'admin', 'repository') },
  effect: 'read',
  audit: 'none',
  example: { repository: 'lab/weather' },
  async run(ctx, input, found) {
    if (input.repository === undefined) onlyAdministrators(ctx, 'webhook.list without a repository')
    const filter = input.repository === undefined ? {} : { resourceId: found.repository.row.id }
    return viewPage(ctx.db.webhooks.page(filter, pageRequest(input)), (rows) => viewWebhooks(ctx, rows))
  },
})

const get = defineOperation({
  name: 'webhook.get',
  summary: 'One webhook.',
  input: Closed({ webhook: WebhookMember }),
  output: Webhook,
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'read',
  audit: 'none',
  example,
  run: (ctx, _, { webhook }) => viewWebhook(ctx, webhook.row),
})

const update = defineOperation({
  name: 'webhook.update',
  summary: 'Changes a webhook and gives it as it is then.',
  description: 'Another address or secret makes whoever changes it the one with whose rights it hears of things.',
  input: Closed({
    webhook: WebhookMember,
    url: Type.Optional(urlMember),
    events: Type.Optional(eventsMember),
    secret: Type.Optional(secretMember),
    active: Type.Optional(Type.Boolean()),
  }),
  output: Webhook,
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'act',
  secretMembers: ['secret'],
  audit: {
    ...auditSubject,
    detail: ({ url, events, active, secret }) => ({
      ...(url === undefined ? {} : { host: hostOf(url) }),
      ...(events === undefined ? {} : { events }),
      ...(active === undefined ? {} : { active }),
      ...(secret === undefined ? {} : { secret: 'changed' }),
    }),
  },
  example: { ...example, active: false },
  async run(ctx, input, { webhook }) {
    const { id } = webhook.row
    if (input.url !== undefined) await checkAddress(ctx, 'webhook.update', input.url)
    const view = await ctx.write(async (inside) => {
      const { principal, services, clock, db } = inside
      const mine = input.url === undefined && input.secret === undefined ? {} : { created_by: principal.id, created_by_name: principal.name }
      await db.webhooks.update(id, {
        ...(input.url === undefined ? {} : { url: input.url }),
        ...(input.events === undefined ? {} : { events: [...input.events] }),
        ...(input.active === undefined ? {} : { active: input.active }),
        ...(input.secret === undefined ? {} : { sealed: services.secretBox.seal(input.secret, webhookContext(id)) }),
        ...mine,
        updated_at: clock.now(),
      })
      if (input.events?.includes('run')) await db.settings.setOnce(marker, { at: clock.now() })
      return viewWebhook(inside, (await db.webhooks.byId(id)) ?? webhook.row)
    })
    tell(ctx, id, 'updated')
    return view
  },
})

const remove = defineOperation({
  name: 'webhook.delete',
  summary: 'Takes a webhook away, with what waits for it and its log.',
  input: Closed({ webhook: WebhookMember }),
  output: Closed({ id: Type.String() }),
  access: 'signed-in',
  subjects: { webhook: subject('webhook', 'admin', 'webhook') },
  effect: 'write',
  audit: auditSubject,
  example,
  async run(ctx, _, { webhook }) {
    await ctx.db.webhooks.remove(webhook.row.id)
    tell(ctx, webhook.row.id, 'deleted')
    return { id: webhook.row.id }
  },
})

/** Everything that can be done with webhooks. */
const webhookOperations: readonly AnyOperation[] = [create, list, get, update, remove, ...deliveryOperations]

function onlyAdministrators(ctx: Ctx, operation: string): void {
  if (!ctx.principal.administrator) throw fault('forbidden', { operation, need: 'an administrator', subject: 'this server' })
}

// For administrators only: that there is one is not for every reader of a repository.
function tell(ctx: Ctx, id: string, state: string): void {
  ctx.emit({ kind: 'webhook', id, name: id, state, resource_id: null })
}

// A name and password would be shown to every administrator of the repository; signatures are there instead.
async function checkAddress(ctx: Ctx, operation: string, text: string): Promise<void> {
  const refuse = (message: string) => problemsFault('invalid_input', operation, [{ path: '/url', code: 'address', message }])
  const url = /[\p{Cc}\p{Cf}\p{Z}\\]/u.test(text) ? null : URL.parse(text)
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw refuse('must be an http or https address without blanks')
  if (url.username !== '' || url.password !== '') throw refuse('must not have a name or password; the secret is for that')
  if (url.hash !== '') throw refuse('must not have a #')
  await ctx.services.egress.resolve(url.hostname, 'webhook')
}

// Paths of addresses are often secrets: the trail keeps the host.
function hostOf(text: string): string {
  return URL.parse(text)?.host ?? ''
}

export { webhookOperations }
