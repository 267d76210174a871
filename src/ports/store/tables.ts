import type { Level } from '../../core/kernel/level.ts'
import type { Page, PageRequest } from '../../core/kernel/page.ts'
import type { JsonObject } from '../../core/kernel/json.ts'
import type {
  ApiKeyRow,
  AuditRow,
  GrantRow,
  PushRow,
  ResourceKey,
  ResourceRow,
  SecretRow,
  SessionRow,
  SigningKeyRow,
  SubjectKind,
  UserRow,
} from './rows.ts'
import type { GistTables } from './gists.ts'
import type { ReviewTables } from './reviews.ts'
import type { RunTables } from './runs.ts'
import type { WebhookTables } from './webhooks.ts'
import type { WorkflowTables } from './workflows.ts'

/** Everything that a transaction or a read can reach. One member per aggregate. */
type Tables = RunTables &
  ReviewTables &
  GistTables &
  WebhookTables &
  WorkflowTables & {
    readonly users: UserTable
    readonly sessions: SessionTable
    readonly apiKeys: ApiKeyTable
    readonly signingKeys: SigningKeyTable
    readonly resources: ResourceTable
    readonly members: MemberTable
    readonly followers: FollowerTable
    readonly grants: GrantTable
    readonly audit: AuditTable
    readonly secrets: SecretTable
    readonly pushes: PushTable
    readonly settings: SettingTable
  }

/** Who looks: decides what a list holds. `userId` of anonymous callers is everyone's. */
type Viewer = { readonly userId: string; readonly administrator: boolean }

type UserTable = {
  /** Takes the next serial. A name or address that is taken: `DuplicateKey` with `users.name` or `users.email`. */
  insert(row: Omit<UserRow, 'serial'> & { serial?: number }): Promise<UserRow>
  byId(id: string): Promise<UserRow | null>
  bySerial(serial: number): Promise<UserRow | null>
  /** By name, ignoring case. */
  byName(name: string): Promise<UserRow | null>
  /** By name or e-mail address, ignoring case. */
  byLogin(login: string): Promise<UserRow | null>
  byIds(ids: readonly string[]): Promise<UserRow[]>
  update(id: string, patch: Partial<Omit<UserRow, 'id' | 'serial'>>): Promise<void>
  remove(id: string): Promise<void>
  page(filter: { kinds?: readonly UserRow['kind'][]; only?: string }, page: PageRequest): Promise<Page<UserRow>>
  administrators(): Promise<number>
}

type SessionTable = {
  insert(row: SessionRow): Promise<void>
  byId(id: string): Promise<SessionRow | null>
  end(id: string, at: number): Promise<void>
  endAll(userId: string, at: number): Promise<void>
  /** Forgets those that expired before a moment, at most `limit`. Gives how many. */
  prune(before: number, limit: number): Promise<number>
}

type ApiKeyTable = {
  insert(row: ApiKeyRow): Promise<void>
  byId(id: string): Promise<ApiKeyRow | null>
  byHash(secretHash: string): Promise<ApiKeyRow | null>
  ofUser(userId: string): Promise<ApiKeyRow[]>
  touch(id: string, at: number): Promise<void>
  remove(id: string): Promise<void>
}

type SigningKeyTable = {
  insert(row: SigningKeyRow): Promise<void>
  ofUser(userId: string): Promise<SigningKeyRow[]>
  remove(id: string): Promise<void>
}

type ResourceFilter = {
  readonly kind: string
  readonly parentId?: string | null
  /** Only names below this prefix. */
  readonly prefix?: string
  /** Only names that contain this, ignoring case. */
  readonly search?: string
  readonly ownerId?: string
}

type ResourceTable = {
  /** Takes the kind's next serial unless the row says one that is free. A taken name: `DuplicateKey` with `resources.name`. */
  insert(row: Omit<ResourceRow, 'serial' | 'version' | 'deleted_at'> & { serial?: number }): Promise<ResourceRow>
  byId(id: string): Promise<ResourceRow | null>
  byName(kind: string, name: string): Promise<ResourceRow | null>
  bySerial(kind: string, serial: number): Promise<ResourceRow | null>
  byIds(ids: readonly string[]): Promise<ResourceRow[]>
  /** Changes a resource and counts its version up. */
  update(
    id: string,
    patch: Partial<Pick<ResourceRow, 'name' | 'owner_id' | 'parent_id' | 'private' | 'active' | 'state' | 'spec' | 'updated_at'>>,
  ): Promise<void>
  /** Gives every name below `from/` the prefix `to/` instead. */
  movePrefix(kind: string, from: string, to: string, at: number): Promise<void>
  /** Frees the name; the row stays for the audit trail and for set-aside storage. */
  markDeleted(id: string, at: number): Promise<void>
  deletedBefore(kind: string, before: number, limit: number): Promise<ResourceRow[]>
  remove(id: string): Promise<void>
  /** What the viewer holds on one resource, with no row read twice: design §9 "what a subject may do is one query". */
  access(resource: ResourceRow, viewer: Viewer, options: { ownerIsAdmin: boolean }): Promise<{ level: Level; extras: string[] }>
  /** What a viewer holds on each of several resources that are not deleted, by id: one statement, however many they are. */
  accessAll(
    resources: readonly Pick<ResourceRow, 'id' | 'owner_id'>[],
    viewer: Viewer,
    options: { ownerIsAdmin: boolean },
  ): Promise<ReadonlyMap<string, { level: Level; extras: string[] }>>
  /** A page by name of what the viewer may see at `need` or more: one statement with the permission join in it. */
  page(filter: ResourceFilter, viewer: Viewer, options: { need: Level; ownerIsAdmin: boolean }, page: PageRequest): Promise<Page<ResourceRow>>
  /** The same page without what takes long to read. */
  keys(filter: ResourceFilter, viewer: Viewer, options: { need: Level; ownerIsAdmin: boolean }, page: PageRequest): Promise<Page<ResourceKey>>
  /** Which of `ids` the viewer holds `need` on. */
  visible(ids: readonly string[], viewer: Viewer, options: { need: Level; ownerIsAdmin: boolean }): Promise<Set<string>>
  countChildren(id: string): Promise<number>
}

type MemberTable = {
  add(groupId: string, userId: string, at: number): Promise<boolean>
  remove(groupId: string, userId: string): Promise<boolean>
  ofGroup(groupId: string): Promise<UserRow[]>
  /** The members of several groups, by the group's id, each by name. */
  ofGroups(groupIds: readonly string[]): Promise<ReadonlyMap<string, UserRow[]>>
  groupsOf(userId: string): Promise<ResourceRow[]>
}

/** Who wants to hear of a resource. */
type FollowerTable = {
  add(resourceId: string, userId: string, at: number): Promise<boolean>
  remove(resourceId: string, userId: string): Promise<boolean>
  /** By name. */
  ofResource(resourceId: string): Promise<UserRow[]>
}

type GrantTable = {
  set(row: GrantRow): Promise<void>
  remove(resourceId: string, subjectId: string): Promise<boolean>
  one(resourceId: string, subjectId: string): Promise<GrantRow | null>
  ofResource(resourceId: string): Promise<GrantRow[]>
  ofSubject(subjectId: string): Promise<GrantRow[]>
  /** Copies all grants of one resource to another (creation inside a group, apply to children). */
  copy(fromResourceId: string, toResourceId: string, at: number): Promise<void>
  removeSubject(subjectId: string): Promise<void>
  removeResource(resourceId: string): Promise<void>
}

type AuditFilter = {
  readonly actorId?: string
  readonly actor?: string
  readonly subject?: string
  readonly subjectId?: string
  readonly since?: number
  readonly operation?: string
}

type AuditTable = {
  append(rows: readonly AuditRow[]): Promise<void>
  page(filter: AuditFilter, page: PageRequest): Promise<Page<AuditRow>>
  /** Intents without an outcome. */
  openIntents(): Promise<AuditRow[]>
}

type SecretTable = {
  set(row: SecretRow): Promise<void>
  get(scope: string, name: string, key: string): Promise<SecretRow | null>
  remove(scope: string, name: string, key: string | null): Promise<number>
  page(filter: { scope?: string; scopes?: readonly string[] }, page: PageRequest): Promise<Page<Omit<SecretRow, 'sealed'>>>
  ofScopes(scopes: readonly string[]): Promise<SecretRow[]>
}

type PushTable = {
  open(row: PushRow): Promise<void>
  close(id: string, state: 'done' | 'failed', changes: PushRow['changes']): Promise<void>
  openOnes(): Promise<PushRow[]>
  page(repositoryId: string, page: PageRequest): Promise<Page<PushRow>>
}

/** Small facts about this installation, and documents that have no table of their own. */
type SettingTable = {
  get(key: string): Promise<JsonObject | null>
  set(key: string, value: JsonObject): Promise<void>
  /** Sets it unless it is there; tells what is there afterwards. */
  setOnce(key: string, value: JsonObject): Promise<JsonObject>
  remove(key: string): Promise<void>
}

export type { SubjectKind }

export type {
  Tables,
  Viewer,
  UserTable,
  SessionTable,
  ApiKeyTable,
  SigningKeyTable,
  ResourceFilter,
  ResourceTable,
  MemberTable,
  FollowerTable,
  GrantTable,
  AuditFilter,
  AuditTable,
  SecretTable,
  PushTable,
  SettingTable,
}
