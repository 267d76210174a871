import { fault, problemsFault } from '../kernel/fault.ts'
import { levels } from '../kernel/level.ts'
import { Closed, OneOf, Type } from '../kernel/schema.ts'
import { defineOperation, subject } from '../operation/operation.ts'
import { specAfter } from './after-push.ts'
import { branchName, branchRef } from './branch-name.ts'
import { storageOfKind } from './code.ts'
import { grantAtCreation } from './grants.ts'
import { keptRemote, mirrorStorageOf, transferMs, withRemote } from '../mirror/remote.ts'
import { parseRemote } from '../mirror/address.ts'
import { setPullSchedule } from '../mirror/schedule-row.ts'
import { scheduleChanged } from '../run/schedule.ts'
import { CopyMember, LandingMember, landingForm, PathMember, RepositoryMember, repositoryMembers } from './inputs.ts'
import { checkPath } from './names.ts'
import { mayUseTopLevel, ownerOf, parentSubject, refuseTaken, sameParent, stillThere } from './place.ts'
import { defaultBranch, freshSpec, specOf } from './spec.ts'
import { discardStorage } from './storage.ts'
import { onStorage } from './on-storage.ts'
import { Repository, viewOneRepository } from './view.ts'
import type { Ctx } from '../operation/context.ts'
import type { ResourceRow } from '../../ports/store/rows.ts'
import type { RepositorySpec } from './spec.ts'
import type { RepositoryView } from './view.ts'
import type { Level } from '../kernel/level.ts'
import type { RemoteAddress } from '../mirror/address.ts'

const EveryoneMember = OneOf(levels, { description: 'What everyone is granted, where the grants of the group are not copied.' })

const createRepository = defineOperation({
  name: 'repository.create',
  summary: 'Makes a repository, empty or as a copy of one elsewhere, and gives it.',
  description:
    'In a group this needs write on the group, at the top level the system permission repository.create. The caller owns it. With `clone_uri` the answer comes when the copy is complete.',
  input: Closed({
    path: PathMember,
    kind: Type.Optional(OneOf(['git', 'hg'])),
    ...repositoryMembers,
    landing_revision: Type.Optional(LandingMember),
    copy_permissions: Type.Optional(CopyMember),
    everyone: Type.Optional(EveryoneMember),
  }),
  output: Repository,
  access: 'signed-in',
  subjects: { parent: parentSubject('write') },
  effect: 'act',
  deadlineMs: transferMs,
  secretMembers: ['clone_uri'],
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.path}`,
    detail: (input, output) => ({
      kind: input.kind ?? 'git',
      private: input.private ?? true,
      ...(output?.clone_uri && { clone_uri: output.clone_uri }),
    }),
  },
  example: { path: 'lab/weather', description: 'Forecasts' },
  async run(ctx, input, { parent }) {
    const place = await preparePlace(ctx, 'repository.create', input, parent?.row)
    const kind = input.kind ?? 'git'
    refuseMissing(ctx, kind)
    const storage = storageOfKind(ctx.services, kind)
    const remote = input.clone_uri ? parseRemote(input.clone_uri, 'repository.create') : null
    const head = input.default_branch === undefined ? null : branchRef(input.default_branch)
    return make(ctx, place, {
      private: input.private ?? true,
      spec: freshSpec({
        kind,
        default_branch: firstBranch[kind],
        description: input.description ?? '',
        ...(input.default_branch === undefined ? {} : { default_branch: input.default_branch }),
        ...displayOf(input),
      }),
      schedule: input.pull_schedule ?? '',
      store: async (id) => {
        const copied = remote ? await copyOf(ctx, { id, kind, path: place.path }, remote) : null
        if (!copied) await storage.create(id)
        if (head) await storage.setHead(id, head)
        return { ...copied, ...(head && { default_branch: branchName(head) }) }
      },
    })
  },
})

const forkRepository = defineOperation({
  name: 'repository.fork',
  summary: 'Makes a full copy of a repository under another path and gives it.',
  description: 'It remembers where it came from, and shares nothing with it. It is as private as its parent unless the input says otherwise.',
  input: Closed({
    repository: RepositoryMember,
    path: PathMember,
    private: repositoryMembers.private,
    description: repositoryMembers.description,
    owner: repositoryMembers.owner,
    landing_revision: Type.Optional(LandingMember),
    copy_permissions: Type.Optional(CopyMember),
    everyone: Type.Optional(EveryoneMember),
  }),
  output: Repository,
  access: { system: 'repository.fork' },
  subjects: { repository: subject('repository', 'read', 'repository'), parent: parentSubject('write') },
  effect: 'act',
  audit: {
    subject: (input, output) => `repository:${output?.path ?? input.path}`,
    detail: (input) => ({ from: input.repository }),
  },
  example: { repository: 'lab/weather', path: 'ann/weather' },
  async run(ctx, input, { repository, parent }) {
    const source = repository.row
    const from = specOf(source)
    refuseMissing(ctx, from.kind)
    const place = await preparePlace(ctx, 'repository.fork', input, parent?.row)
    return make(ctx, place, {
      private: input.private ?? source.private,
      spec: freshSpec({
        kind: from.kind,
        description: input.description ?? from.description,
        default_branch: from.default_branch,
        fork_of: source.id,
        size: from.size,
        last_commit: from.last_commit,
        ...displayOf(input),
      }),
      source,
      store: async (id) => {
        await storageOfKind(ctx.services, from.kind).fork(id, source.id)
        return {}
      },
    })
  },
})

/** The default branch of an empty repository. */
const firstBranch = { git: defaultBranch, hg: 'default' } as const satisfies Record<RepositorySpec['kind'], string>

function refuseMissing(ctx: Ctx, kind: RepositorySpec['kind']): void {
  const why = kind === 'hg' ? ctx.services.hg.missing : null
  if (why !== null) throw fault('unsupported', { what: 'Hosting of Mercurial repositories', why })
}

type Display = { landing_revision?: string | undefined; statistics?: boolean | undefined; downloads?: boolean | undefined }

/** The members of a spec that only change what is shown, as far as they are given. */
function displayOf(input: Display): Partial<RepositorySpec> {
  const given = { landing_revision: input.landing_revision, statistics: input.statistics, downloads: input.downloads }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

// Not in the schema: who may not make it here at all is to hear that first.
function checkLanding(operation: string, landing: string | undefined): void {
  if (landing === undefined || landingForm.test(landing)) return
  const message = 'is not of the form type:name, as in branch:main'
  throw problemsFault('invalid_input', operation, [{ path: '/landing_revision', code: 'form', message }])
}

type Place = {
  readonly path: string
  readonly parent: ResourceRow | undefined
  readonly ownerId: string
  readonly copy: boolean
  readonly everyone: Level | undefined
}

type PlaceInput = {
  readonly path: string
  readonly owner?: string | undefined
  readonly landing_revision?: string | undefined
  readonly copy_permissions?: boolean | undefined
  readonly everyone?: Level | undefined
}

// The order of these checks is the order of the errors of the Kallithea contract §7; the group and the right on it came before, as a subject.
async function preparePlace(ctx: Ctx, operation: string, input: PlaceInput, parent: ResourceRow | undefined): Promise<Place> {
  const { path } = input
  if (!parent) await mayUseTopLevel(ctx, operation)
  const ownerId = await ownerOf(ctx, operation, input.owner)
  await refuseTaken(ctx.db, path)
  checkPath(path, 'repository', ctx.services.settings)
  checkLanding(operation, input.landing_revision)
  return { path, parent, ownerId, copy: input.copy_permissions ?? true, everyone: input.everyone }
}

// The copy is under its own name only when it is complete, and the repository's row comes after it.
type Copy = { readonly id: string; readonly kind: RepositorySpec['kind']; readonly path: string }

async function copyOf(ctx: Ctx, { id, kind, path }: Copy, address: RemoteAddress): Promise<Partial<RepositorySpec>> {
  const { services } = ctx
  const storage = mirrorStorageOf(services, kind)
  await withRemote(ctx, address, (remote) => onStorage(ctx, { id, name: path }, () => storage.copy(id, remote, { signal: ctx.signal })))
  const refs = await storageOfKind(services, kind).refs(id)
  const changes = [...refs].map(([ref, to]) => ({ ref, from: null, to }))
  const seen = await specAfter(services, { id, spec: { kind } }, changes)
  return { ...seen, ...keptRemote(ctx, id, address), pulled_at: ctx.clock.now() }
}

type Draft = {
  readonly private: boolean
  readonly spec: RepositorySpec
  /** What it is a copy of. */
  readonly source?: ResourceRow
  /** Makes the storage; gives what is known of it then. */
  readonly store: (id: string) => Promise<Partial<RepositorySpec>>
  /** When it pulls by itself; '' for never. */
  readonly schedule?: string
}

// Storage first, by id, and then the row: until the row is there nobody can reach the storage, and if it never comes the storage is removed.
async function make(ctx: Ctx, place: Place, draft: Draft): Promise<RepositoryView> {
  const id = ctx.ids.record()
  try {
    const known = await onStorage(ctx, draft.source ?? { id, name: place.path }, () => draft.store(id))
    const view = await ctx.write(async (inside) => {
      const parent = await sameParent(inside.db, place.parent, place.path)
      await refuseTaken(inside.db, place.path)
      if (draft.source) await stillThere(inside.db, draft.source, 'repository')
      const now = inside.clock.now()
      const row = await inside.db.resources.insert({
        id,
        kind: 'repository',
        name: place.path,
        owner_id: place.ownerId,
        parent_id: parent?.id ?? null,
        private: draft.private,
        active: true,
        state: 'ready',
        spec: { ...draft.spec, ...known },
        created_at: now,
        updated_at: now,
      })
      await grantAtCreation(inside, row, parent, { copy: place.copy, everyone: place.everyone })
      await inside.db.followers.add(id, place.ownerId, now)
      if (draft.schedule) await setPullSchedule(inside, row, draft.schedule)
      return viewOneRepository(inside, row)
    })
    if (draft.schedule) scheduleChanged(ctx.services.store)
    ctx.emit({ kind: 'repository', id, name: view.path, state: 'created', resource_id: id })
    return view
  } catch (error) {
    await discardStorage(ctx, id)
    throw error
  }
}

export { createRepository, forkRepository, displayOf }
