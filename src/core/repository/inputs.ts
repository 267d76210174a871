import { Type } from '../kernel/schema.ts'

/** Members that the inputs of several operations on repositories share. */
const PathMember = Type.String({ maxLength: 2000, description: 'Groups and name, `group/name`. The groups must exist.' })
const RepositoryMember = Type.String({ maxLength: 2000, description: 'Path or id, or `repository:<path or id>`.' })
const GroupMember = Type.String({ maxLength: 2000, description: 'Path or id, or `repository-group:<path or id>`.' })
const OwnerMember = Type.String({ maxLength: 300, description: 'Name or id of a user. Administrators only.' })
const DescriptionMember = Type.String({ maxLength: 10_000 })
const RevisionMember = Type.String({
  minLength: 1,
  maxLength: 1000,
  description: 'A branch, a tag, a full ref name or a full commit id; the default branch when left out.',
})

const CloneUriMember = Type.String({
  maxLength: 2000,
  description: 'An http or https address of another repository, with a name and password in it if it wants them. They are never shown again.',
})

const landingForm = /^[a-z]+:.+$/
const LandingMember = Type.String({
  maxLength: 300,
  description: 'What is shown first, `type:name`: `rev:tip`, `branch:main`, `tag:v1`, `book:here`.',
})

/** What a repository has besides its name, in inputs that make or change one. */
const repositoryMembers = {
  private: Type.Optional(Type.Boolean({ description: 'While true, what is granted to everyone does not count. True when left out.' })),
  description: Type.Optional(DescriptionMember),
  owner: Type.Optional(OwnerMember),
  default_branch: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  clone_uri: Type.Optional(CloneUriMember),
  pull_schedule: Type.Optional(
    Type.String({ maxLength: 128, description: 'When to pull from there by itself: a cron expression of five fields, in UTC. Empty: never.' }),
  ),
  landing_revision: Type.Optional(Type.String({ ...LandingMember, pattern: landingForm.source })),
  statistics: Type.Optional(Type.Boolean()),
  downloads: Type.Optional(Type.Boolean()),
}

/** Whether grants of the group are copied, in inputs that make something in a group. */
const CopyMember = Type.Boolean({
  description: 'Begin with the grants of the group that it is made in (true when left out), or with what everyone gets by default.',
})

export {
  PathMember,
  RepositoryMember,
  GroupMember,
  OwnerMember,
  DescriptionMember,
  RevisionMember,
  CloneUriMember,
  LandingMember,
  landingForm,
  repositoryMembers,
  CopyMember,
}
