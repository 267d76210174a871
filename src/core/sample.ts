import { sleep } from './kernel/clock.ts'
import { system } from './identity/principal.ts'
import { invoke } from './operation/invoke.ts'
import { isEnd } from './kernel/run-state.ts'
import type { Services } from './operation/services.ts'
import type { RunRow } from '../ports/store/rows.ts'

/** A file of the sample. */
type SampleFile = { readonly path: string; readonly content: Uint8Array; readonly executable: boolean }

type Sample = {
  /** What to tell the operator: known when the sample's first run has ended, or has not within ten seconds. Never rejects. */
  readonly lines: Promise<readonly string[]>
}

const settingKey = 'sample'
const path = 'sample'
const directory = 'hello'
// Not the name in the manifest: whoever deploys `hello` first finds nothing in the way.
const firstRun = 'hello-first'
const waitMs = 10_000
const lookAgainMs = 50

/**
 * Makes the sample repository and deploys its first task, once in the life of an installation; null when there is nothing to make. A
 * repository that a kill left half made is finished by the next start. A failure is a warning in the log, because a server without a sample serves as well.
 */
async function makeSample(services: Services, options: { files: () => Promise<readonly SampleFile[]>; address: string }): Promise<Sample | null> {
  try {
    if (await services.store.reader.settings.get(settingKey)) return null
    const made = await makeRepository(services, options.files)
    // Before the run: one that cannot be started here would be tried again at each start.
    await services.store.write((tables) => tables.settings.set(settingKey, { made }))
    if (!made) return null
    // Short names may mean another place than the top level.
    const repository = services.settings.defaultOrganisation === '' ? path : `repository:${path}`
    const { id } = await asServer<{ id: string }>(services, 'task.deploy', { repository, directory, name: firstRun })
    return { lines: tell(services, id, options.address) }
  } catch (error) {
    services.log.warn('sample.not_made', { why: error instanceof Error ? error.message : String(error), error })
    return null
  }
}

/** Whether the repository is there as it shall be: it was made, or finished. False when somebody has one of that name. */
async function makeRepository(services: Services, files: () => Promise<readonly SampleFile[]>): Promise<boolean> {
  const { store, git } = services
  const found = await store.reader.resources.byName('repository', path)
  if (found && found.owner_id !== system.id) return false
  const repository =
    found ?? (await asServer<{ id: string }>(services, 'repository.create', { path, private: false, description: 'Small things to deploy' }))
  if ((await git.refs(repository.id)).size > 0) return true
  const encoded = (await files()).map((file) => ({
    path: file.path,
    base64: Buffer.from(file.content).toString('base64'),
    executable: file.executable,
  }))
  await asServer(services, 'repository.commit-files', {
    repository: repository.id,
    parent: null,
    message: 'Small things to deploy\n',
    files: encoded,
  })
  return true
}

async function tell(services: Services, id: string, address: string): Promise<readonly string[]> {
  try {
    const run = await endOf(services, id)
    const how =
      !run || !isEnd(run.state)
        ? 'goes on'
        : run.state === 'succeeded'
          ? 'succeeded'
          : `ended as ${run.state}${run.message ? `: ${run.message}` : ''}`
    // The address of the log without the server's: what is said at the start holds no link that looks as if it carried a token.
    return [
      `The repository "${path}" is there to try things. The run of its task "${directory}" in the namespace "${path}" ${how}.`,
      `  Its log:  npx capstan run log ${id}  (or GET /api/v1/runs/${id}/log)`,
      `  Try next: curl -H "Authorization: Bearer <token or API key>" ${address}/v1/task/deploy/${path}/${directory}`,
      '  It holds a cron job, a web service, a deployment and pipelines as well: its README.md has one line for each.',
    ]
  } catch (error) {
    // The server stops, or its store is gone: there is nobody to tell.
    services.log.debug('sample.not_told', { error })
    return []
  }
}

async function endOf(services: Services, id: string): Promise<RunRow | null> {
  const { clock, store, stopping } = services
  const until = clock.now() + waitMs
  for (;;) {
    const run = await store.reader.runs.byId(id)
    if (!run || isEnd(run.state) || clock.now() >= until) return run
    await sleep(clock, lookAgainMs, stopping)
  }
}

function asServer<Output = unknown>(services: Services, operation: string, input: unknown): Promise<Output> {
  return invoke<Output>(services, { principal: system, origin: { via: 'start', peer: '', requestId: 'sample' } }, operation, input)
}

export type { SampleFile, Sample }
export { makeSample }
