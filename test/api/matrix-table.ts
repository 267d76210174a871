import type { Expectation, Fixture, Making, Outcome } from './matrix-fixtures.ts'

const expect = (nobody: Outcome, stranger: Outcome, reader: Outcome, writer: Outcome): Expectation => ({
  nobody,
  stranger,
  reader,
  writer,
  admin: 'ok',
})
const hides = { read: expect('not_found', 'not_found', 'ok', 'ok'), write: expect('unauthenticated', 'not_found', 'forbidden', 'ok') }
const administers = expect('unauthenticated', 'not_found', 'forbidden', 'forbidden')
// A namespace's name is taken, and that cannot be kept from who wants to deploy into it.
const deploys = expect('unauthenticated', 'forbidden', 'forbidden', 'ok')

const nothing: Fixture = { input: () => ({}) }
const repository: Fixture = { input: async (make) => ({ repository: await make.repositoryWithFile() }) }
const repositoryGroup: Fixture = { input: async (make) => ({ group: await make.repositoryGroup() }) }
const pullRequest: Fixture = { input: async (make) => ({ pull_request: await make.pullRequest() }) }
const gist: Fixture = { input: async (make) => ({ gist: await make.gist() }) }
const group: Fixture = { input: async (make) => ({ group: await make.group() }) }
const user: Fixture = { input: async (make) => ({ user: await make.user() }) }
const run: Fixture = { input: async (make) => ({ run: (await make.task()).run }) }
const webhook: Fixture = { input: async (make) => ({ webhook: await make.webhook() }) }
const schedule: Fixture = { input: async (make) => ({ schedule: (await make.schedule()).schedule }) }
const workflow: Fixture = { input: async (make) => ({ workflow: await make.workflow() }) }
const plugin: Fixture = { input: async (make) => ({ plugin: await make.plugin() }) }
const job: Fixture = { input: async (make) => ({ job: await make.job() }) }
const document = { name: 'matrix', steps: [], paths: [] }
const namespace: Fixture = { input: async (make) => ({ namespace: (await make.task()).namespace }), expect: hides.read }
const onRepository = async (make: Making, more: object = {}) => ({ on: `repository:${await make.repository()}`, ...more })
const member = async (make: Making) => ({ group: await make.group(), user: 'stranger' })
// Bodies of git are no JSON: only the API that hosts git can hand them in.
const transfer = 'unsupported'

/** A call of every operation. A new operation needs a line here, or the test says that it is missing. */
export const fixtures: Readonly<Record<string, Fixture>> = {
  'server.get': nothing,
  'session.create': { input: async (make) => ({ login: await make.user({ password: 'a phrase that is long' }), password: 'a phrase that is long' }) },
  'session.delete': { ...nothing, ends: 'state_conflict' },
  'session.get': nothing,
  'session.hand-over': { input: () => ({ state: 'ab'.repeat(16) }), ends: 'state_conflict' },
  'session.take-over': { input: () => ({ code: 'x.1.y', state: 'ab'.repeat(16) }), ends: 'invalid_credential' },
  'session.describe': { input: async (make) => ({ token: await make.session() }) },
  'session.reissue': { input: () => ({ claims: { sub: 'x' } }), ends: 'state_conflict' },
  'bootstrap.redeem': {
    input: (make) => ({ token: 'not-the-token', name: make.name(), password: 'a phrase that is long' }),
    expect: { ...expect('invalid_credential', 'invalid_credential', 'invalid_credential', 'invalid_credential'), admin: 'invalid_credential' },
  },
  'user.register': { input: (make) => ({ name: make.name(), password: 'a phrase that is long' }) },
  'user.create': { input: (make) => ({ name: make.name() }) },
  'user.get': user,
  'user.list': nothing,
  'user.update': { input: async (make) => ({ user: await make.user(), first_name: 'Ann' }) },
  'user.set-password': { input: async (make) => ({ user: await make.user(), password: 'a phrase that is long' }) },
  'user.disable': user,
  'user.enable': user,
  'user.delete': user,
  'role.list': nothing,
  'role.list-users': nothing,
  'role.assign': { input: async (make) => ({ user: await make.user(), role: 'analyst' }) },
  'group.create': { input: (make) => ({ name: make.name() }) },
  'group.get': group,
  'group.list': nothing,
  'group.update': { input: async (make) => ({ group: await make.group(), description: 'x' }) },
  'group.delete': { input: async (make) => ({ group: await make.group(), force: true }) },
  'group.add-member': { input: member },
  'group.remove-member': { input: member },
  'group.list-members': group,
  'group.list-with-members': nothing,
  'user.locate': { input: async (make) => ({ path: await make.user() }) },
  'api-key.create': { input: async (make) => ({ user: await make.user(), label: 'x' }) },
  'api-key.list': user,
  'api-key.delete': { input: async (make) => ({ user: await make.user(), id: '01981c0e-0000-7000-8000-000000000000' }), ends: 'not_found' },
  'signing-key.create': user,
  'signing-key.list': user,
  'signing-key.delete': { input: async (make) => ({ user: await make.user(), id: '01981c0e-0000-7000-8000-000000000000' }), ends: 'not_found' },
  'grant.set': { input: (make) => onRepository(make, { to: 'everyone', level: 'read' }), expect: administers },
  'grant.delete': { input: (make) => onRepository(make, { to: 'everyone' }), expect: administers },
  'grant.list': { input: (make) => onRepository(make), expect: administers },
  'permission.get': { input: (make) => onRepository(make), expect: expect('unauthenticated', 'not_found', 'ok', 'ok') },
  'permission.list': { input: () => ({ kind: 'repository' }) },
  'secret.set': { input: async (make) => ({ scope: `repository:${await make.repository()}`, name: 'x', value: 'y' }), expect: hides.write },
  'secret.list': { input: async (make) => ({ scope: `namespace:${(await make.task()).namespace}` }), expect: hides.write },
  'secret.delete': { input: async (make) => ({ scope: await make.secret(), name: 'x' }), expect: hides.write },
  'repository.create': { input: async (make) => ({ path: `${await make.repositoryGroup()}/new` }) },
  'repository.get': repository,
  'repository.list': repositoryGroup,
  'repository.update': { input: async (make) => ({ repository: await make.repository(), description: 'x' }) },
  'repository.delete': repository,
  'repository.fork': { input: async (make) => ({ repository: await make.repository(), path: `${await make.repositoryGroup()}/fork` }) },
  'repository.refresh': repository,
  'repository.list-tree': repository,
  'repository.list-bookmarks': repository,
  'repository.rescan': nothing,
  'repository.list-kinds': nothing,
  'repository.list-members': repository,
  'repository.follow': repository,
  'repository.unfollow': repository,
  'repository.list-followers': repository,
  'repository.locate': { input: async (make) => ({ path: await make.repository() }), expect: hides.read },
  'repository.list-branches': repository,
  'repository.list-tags': repository,
  'repository.list-commits': repository,
  'repository.get-file': { input: async (make) => ({ repository: await make.repositoryWithFile(), path: 'a/b' }) },
  'repository.list-files': repository,
  'repository.list-pushes': repository,
  'repository.advertise-refs': { input: async (make) => ({ repository: await make.repository(), service: 'receive-pack' }), ends: transfer },
  'repository.upload-pack': { ...repository, ends: transfer },
  'repository.read-hg': { ...repository, ends: transfer },
  'repository.push': { ...repository, ends: transfer },
  'repository.pull': { ...repository, ends: 'state_conflict' },
  'repository.commit-files': { input: async (make) => ({ repository: await make.repository(), message: 'x', files: [{ path: 'x', text: 'x' }] }) },
  'repository-group.create': { input: async (make) => ({ path: `${await make.repositoryGroup()}/new` }) },
  'repository-group.get': repositoryGroup,
  'repository-group.list': { input: async (make) => ({ parent: await make.repositoryGroup() }) },
  'repository-group.update': { input: async (make) => ({ group: await make.repositoryGroup(), description: 'x' }) },
  'repository-group.delete': repositoryGroup,
  'repository-group.apply-permissions': { input: async (make) => ({ group: await make.repositoryGroup(), kinds: 'both' }) },
  'repository-group.locate': { input: async (make) => ({ path: await make.repositoryGroup() }), expect: hides.read },
  'pull-request.create': { input: async (make) => ({ ...(await make.ends()), title: 'x' }) },
  'pull-request.get': pullRequest,
  'pull-request.list': { input: async (make) => ({ repository: (await make.ends()).repository }) },
  'pull-request.update': { input: async (make) => ({ pull_request: await make.pullRequest(), title: 'y', add_reviewers: ['reader'] }) },
  'pull-request.close': pullRequest,
  'pull-request.reopen': {
    input: async (make) => {
      const pull_request = await make.pullRequest()
      await make.close(pull_request)
      return { pull_request }
    },
  },
  'pull-request.comment': { input: async (make) => ({ pull_request: await make.pullRequest(), text: 'x' }) },
  'pull-request.list-comments': pullRequest,
  'pull-request.list-commits': pullRequest,
  'pull-request.check': pullRequest,
  'pull-request.merge': pullRequest,
  'gist.create': { input: () => ({ files: [{ name: 'a', text: 'x' }] }) },
  'gist.get': gist,
  'gist.describe': gist,
  'gist.list': nothing,
  'gist.update': { input: async (make) => ({ gist: await make.gist(), description: 'x' }) },
  'gist.delete': gist,
  'webhook.create': { input: async (make) => ({ repository: await make.repository(), url: 'http://93.184.216.34/', active: false }) },
  'webhook.list': { input: async (make) => ({ repository: await make.repository() }) },
  'webhook.get': webhook,
  'webhook.update': { input: async (make) => ({ webhook: await make.webhook(), events: ['push'] }) },
  'webhook.delete': webhook,
  'webhook.test': { ...webhook, ends: 'state_conflict' },
  'webhook.list-deliveries': webhook,
  'webhook.redeliver': { input: async (make) => ({ webhook: await make.webhook(), delivery: 'none' }), ends: 'not_found' },
  'task.deploy': {
    input: async (make) => ({ repository: 'source', directory: 'job', namespace: (await make.task()).namespace }),
    expect: deploys,
  },
  'task.get': { input: async (make) => ({ task: (await make.task()).run }), expect: hides.read },
  'task.list': namespace,
  'pod.list': namespace,
  'schedule.list': { input: async (make) => ({ namespace: (await make.schedule()).namespace }) },
  'schedule.get': schedule,
  'schedule.suspend': schedule,
  'schedule.resume': schedule,
  'schedule.start-occurrence': { input: async (make) => ({ schedule: (await make.schedule()).schedule, minute: 29_000_000 }) },
  'loading.start': { input: () => ({ kind: 'task', repository: 'source', directory: 'job' }) },
  'loading.get': { input: async (make) => ({ kind: 'task', loading: await make.loading() }) },
  'template.list': { input: () => ({ kind: 'task' }) },
  'template.get': { input: () => ({ kind: 'task', template_path: 'none.json' }), ends: 'not_found' },
  'task.delete': {
    input: async (make) => {
      const { namespace, name } = await make.task()
      return { namespace, name }
    },
    expect: hides.write,
  },
  'service.admit': { input: async (make) => ({ service: await make.service() }) },
  'pipeline.run': {
    input: async (make) => ({ repository: 'source', directory: 'line', namespace: (await make.task()).namespace, name: make.name() }),
    expect: deploys,
  },
  'pipeline.get': { input: async (make) => ({ pipeline: (await make.pipeline()).run }), expect: hides.read },
  'pipeline.list': namespace,
  'pipeline.kill': { input: async (make) => ({ pipeline: (await make.pipeline()).run }), expect: hides.write },
  'namespace.list': nothing,
  'namespace.get': namespace,
  'namespace.create': { input: (make) => ({ namespace: make.name() }) },
  'run.get': run,
  'run.list': nothing,
  'run.cancel': run,
  'run.retry': run,
  'run.answer': { input: async (make) => ({ run: (await make.task()).run, step: 'main', answer: {} }), ends: 'not_found' },
  'run.log': { input: async (make) => ({ run: (await make.task()).run, step: 'main' }) },
  'workflow.create': { input: (make) => ({ document: { ...document, name: make.name() } }) },
  'workflow.update': { input: async (make) => ({ workflow: await make.workflow(), document: { description: 'x' } }) },
  'workflow.set-retention': { input: async (make) => ({ workflow: await make.workflow(), keep_days: 7, keep_jobs: null }) },
  'workflow.get': workflow,
  'workflow.list': nothing,
  'workflow.delete': workflow,
  'workflow.run': workflow,
  'workflow.test': workflow,
  'workflow.validate': workflow,
  'workflow.activate': { input: async (make) => ({ workflow: await make.workflow({ active: false }) }) },
  'workflow.deactivate': workflow,
  'workflow.list-versions': workflow,
  'workflow.get-version': { input: async (make) => ({ workflow: await make.workflow(), version: 'none' }), ends: 'not_found' },
  'workflow.diff': { input: async (make) => ({ workflow: await make.workflow(), from: 'none', to: 'none' }), ends: 'not_found' },
  'workflow.import': { input: (make) => ({ file: { workflows: [{ ...document, name: make.name() }] } }) },
  'workflow.export': workflow,
  'workflow.notify': { input: async (make) => ({ run: await make.job(), step: 'ask', users: [] }), ends: 'unsupported' },
  'plugin.install': { input: async (make) => ({ path: await make.package() }) },
  'plugin.list': nothing,
  'plugin.get': plugin,
  'plugin.delete': plugin,
  'job.list': nothing,
  'job.get': job,
  'job.list-steps': job,
  'job.list-artifacts': job,
  'job.cancel': job,
  'job.rerun': { input: async (make) => ({ job: await make.job({ ended: true }) }) },
  'job.dismiss': { ...job, ends: 'state_conflict' },
  'job.update': { input: async (make) => ({ job: await make.job(), investigation: 'INC-1' }) },
  'job.decide': { input: async (make) => ({ job: await make.job(), step: 'ask', path: 'yes' }) },
  'audit.list': nothing,
  'batch.run': { input: () => ({ operations: [{ operation: 'repository.list', input: {} }] }) },
}
