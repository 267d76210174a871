import { expect, test } from 'vitest'
import { atLeast, highest, levels } from '../../../core/kernel/level.ts'
import type { Level } from '../../../core/kernel/level.ts'
import { everyoneId } from '../../../core/kernel/builtin.ts'
import type { GrantRow, ResourceRow } from '../../../ports/store/rows.ts'
import type { Viewer } from '../../../ports/store/tables.ts'
import { allPages } from './fixtures.ts'
import type { UseStore } from './fixtures.ts'
import { seeded } from './random.ts'
import { acceptAct, resourceRow, runRow, scheduleRow, userRow } from './rows.ts'

type World = {
  resources: ResourceRow[]
  groups: ResourceRow[]
  users: string[]
  members: Map<string, Set<string>>
  grants: Map<string, GrantRow[]>
}

export function permissionSuite(use: UseStore): void {
  test('what a subject may do is the highest of everyone, itself and its active groups, over 1,000 repositories and 200 groups', async () => {
    const { store } = use()
    const random = seeded(20261107)
    const world = await store.write(async (t) => makeWorld(t, random))
    const times: number[] = []
    for (const viewer of viewersOf(world)) {
      for (const ownerIsAdmin of [true, false]) {
        const need = levels[Math.floor(random() * levels.length)] ?? 'read'
        const expected = world.resources
          .filter((resource) => atLeast(naive(world, resource, viewer, ownerIsAdmin).level, need))
          .map(({ name }) => name)
        const seen = await allPages(100, async (page) => {
          const started = performance.now()
          const result = await store.reader.resources.page({ kind: 'repository' }, viewer, { need, ownerIsAdmin }, page)
          times.push(performance.now() - started)
          return result
        })
        expect(seen.map(({ name }) => name)).toEqual(expected.sort())
        const keys = await allPages(300, (page) => store.reader.resources.keys({ kind: 'repository' }, viewer, { need, ownerIsAdmin }, page))
        expect(keys).toEqual(seen.map(({ id, kind, serial, name, owner_id, version }) => ({ id, kind, serial, name, owner_id, version })))
        const ids = world.resources.slice(0, 200).map(({ id }) => id)
        const visible = await store.reader.resources.visible([...ids, 'unknown'], viewer, { need, ownerIsAdmin })
        expect(visible).toEqual(new Set(ids.filter((id) => seen.some((resource) => resource.id === id))))
      }
      const all = await store.reader.resources.accessAll(world.resources, viewer, { ownerIsAdmin: true })
      for (const resource of world.resources.filter(() => random() < 0.05)) {
        const access = await store.reader.resources.access(resource, viewer, { ownerIsAdmin: true })
        expect(access).toEqual(naive(world, resource, viewer, true))
        expect(all.get(resource.id)).toEqual(access)
      }
    }
    times.sort((a, b) => a - b)
    console.log(`    a page of 100 of 1,000 repositories: p50 ${at(times, 0.5)} ms, p95 ${at(times, 0.95)} ms (${times.length} pages)`)
  }, 60_000)

  test('a deleted resource is nothing to anybody, and a deleted or inactive group grants nothing', async () => {
    const { store } = use()
    const ann = await store.write((t) => t.users.insert(userRow('ann')))
    const viewer = { userId: ann.id, administrator: false }
    const group = await store.write((t) => t.resources.insert(resourceRow('group', 'dev')))
    const repository = await store.write((t) => t.resources.insert(resourceRow('repository', 'r', { owner_id: ann.id, private: true })))
    await store.write(async (t) => {
      await t.members.add(group.id, ann.id, 1)
      await t.grants.set({ resource_id: repository.id, subject_id: group.id, subject_kind: 'group', level: 'write', extras: ['logs'], created_at: 1 })
    })
    const level = async () => (await store.reader.resources.access(repository, viewer, { ownerIsAdmin: false })).level
    expect(await level()).toBe('write')
    await store.write((t) => t.resources.update(group.id, { active: false }))
    expect(await level()).toBe('none')
    await store.write((t) => t.resources.update(group.id, { active: true }))
    await store.write((t) => t.resources.markDeleted(group.id, 1))
    expect(await level()).toBe('none')
    await store.write((t) => t.resources.markDeleted(repository.id, 1))
    const gone = await store.reader.resources.byId(repository.id)
    if (gone === null) throw new Error('it stays readable by id')
    for (const administrator of [true, false]) {
      const access = await store.reader.resources.access(gone, { userId: ann.id, administrator }, { ownerIsAdmin: true })
      expect(access).toEqual({ level: 'none', extras: [] })
      expect(await store.reader.resources.visible([gone.id], { userId: ann.id, administrator }, { need: 'read', ownerIsAdmin: true })).toEqual(
        new Set(),
      )
    }
  })

  test('callers without credentials have no row of their own on what is private', async () => {
    const { store } = use()
    const hidden = await store.write((t) => t.resources.insert(resourceRow('repository', 'r', { private: true, owner_id: everyoneId })))
    for (const id of [hidden.id, 'kind:repository'])
      await store.write((t) =>
        t.grants.set({ resource_id: id, subject_id: everyoneId, subject_kind: 'user', level: 'admin', extras: ['logs'], created_at: 1 }),
      )
    const nobody = { userId: everyoneId, administrator: false }
    expect(await store.reader.resources.access(hidden, nobody, { ownerIsAdmin: true })).toEqual({ level: 'none', extras: [] })
    expect(await store.reader.resources.visible([hidden.id], nobody, { need: 'read', ownerIsAdmin: true })).toEqual(new Set())
  })

  test('runs and schedules are listed for those who may read their resource, or started them, and for administrators', async () => {
    const { store } = use()
    const namespace = await store.write((t) => t.resources.insert(resourceRow('namespace', 'weather')))
    const owned = await store.write((t) => t.resources.insert(resourceRow('repository', 'r', { owner_id: 'owner' })))
    await store.write((t) =>
      t.grants.set({ resource_id: namespace.id, subject_id: 'reader', subject_kind: 'user', level: 'read', extras: [], created_at: 1 }),
    )
    const names = new Map<string, string>()
    for (const [name, resource_id, started_by] of [
      ['held', namespace.id, 'x'],
      ['mine', null, 'starter'],
      ['owned', owned.id, 'x'],
      ['free', null, everyoneId],
    ] as const) {
      const run = runRow({ name, resource_id, started_by })
      names.set(run.id, name)
      await store.engine.accept(acceptAct({ run }))
      await store.write((t) => t.schedules.insert(scheduleRow(name, { resource_id, created_by: started_by })))
    }
    const seen = async (viewer: Viewer | null) => {
      const runs = await allPages(1, (page) => store.reader.runs.page({}, viewer, 'name', page))
      const schedules = await allPages(1, (page) => store.reader.schedules.page({}, viewer, page))
      expect(schedules.map(({ name }) => name)).toEqual(runs.map(({ name }) => name))
      return runs.map(({ name }) => name)
    }
    const all = ['free', 'held', 'mine', 'owned']
    expect(await seen(null)).toEqual(all)
    expect(await seen({ userId: 'root', administrator: true })).toEqual(all)
    expect(await seen({ userId: 'reader', administrator: false })).toEqual(['held'])
    expect(await seen({ userId: 'starter', administrator: false })).toEqual(['mine'])
    expect(await seen({ userId: 'owner', administrator: false })).toEqual(['owned'])
    // Whoever comes without credentials does not see what another such caller started.
    expect(await seen({ userId: everyoneId, administrator: false })).toEqual([])
  })
}

function naive(world: World, resource: ResourceRow, viewer: Viewer, ownerIsAdmin: boolean): { level: Level; extras: string[] } {
  if (viewer.administrator) return { level: 'admin', extras: [] }
  const anonymous = viewer.userId === everyoneId
  const rows = [...(world.grants.get(resource.id) ?? []), ...(world.grants.get('kind:repository') ?? [])]
  const counted = rows.filter(({ subject_id }) => {
    if (subject_id === everyoneId) return !resource.private
    if (anonymous) return false
    if (subject_id === viewer.userId) return true
    const group = world.groups.find(({ id }) => id === subject_id)
    return group?.active === true && world.members.get(group.id)?.has(viewer.userId) === true
  })
  const owned = ownerIsAdmin && !anonymous && resource.owner_id === viewer.userId
  return {
    level: owned ? 'admin' : highest(counted.map(({ level }) => level)),
    extras: [...new Set(counted.flatMap(({ extras }) => extras))].sort(),
  }
}

async function makeWorld(t: Parameters<Parameters<ReturnType<UseStore>['store']['write']>[0]>[0], random: () => number): Promise<World> {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T // the lists are not empty
  const users: string[] = []
  for (let i = 0; i < 12; i++) users.push((await t.users.insert(userRow(`user${i}`))).id)
  const groups: ResourceRow[] = []
  const members = new Map<string, Set<string>>()
  for (let i = 0; i < 200; i++) {
    const group = await t.resources.insert(resourceRow('group', `group${i}`, { active: random() < 0.8 }))
    groups.push(group)
    const inside = new Set(users.filter(() => random() < 0.2))
    members.set(group.id, inside)
    for (const user of inside) await t.members.add(group.id, user, 1)
  }
  const resources: ResourceRow[] = []
  for (let i = 0; i < 1000; i++)
    resources.push(await t.resources.insert(resourceRow('repository', `repo${i}`, { owner_id: pick(users), private: random() < 0.5, spec: {} })))
  const grants = new Map<string, GrantRow[]>()
  const set = async (resource_id: string, subject_id: string, subject_kind: 'user' | 'group', level: Level) => {
    const row: GrantRow = { resource_id, subject_id, subject_kind, level, extras: random() < 0.2 ? [pick(['logs', 'terminal'])] : [], created_at: 1 }
    grants.set(resource_id, [...(grants.get(resource_id) ?? []).filter((other) => other.subject_id !== subject_id), row])
    await t.grants.set(row)
  }
  for (const { id } of resources) {
    if (random() < 0.2) await set(id, everyoneId, 'user', pick(levels))
    if (random() < 0.3) await set(id, pick(users), 'user', pick(levels))
    for (let i = 0; i < 3; i++) if (random() < 0.3) await set(id, pick(groups).id, 'group', pick(levels))
  }
  await set('kind:repository', users[0] as string, 'user', 'execute') // there are twelve
  await set('kind:repository', (groups.find((group) => group.active) as ResourceRow).id, 'group', 'read') // four fifths are active
  return { resources, groups, users, members, grants }
}

function viewersOf(world: World): Viewer[] {
  const users = world.users.map((userId) => ({ userId, administrator: false }))
  return [
    ...users,
    { userId: everyoneId, administrator: false },
    { userId: 'stranger', administrator: false },
    { userId: 'root', administrator: true },
  ]
}

function at(sorted: readonly number[], part: number): string {
  return (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2)
}
