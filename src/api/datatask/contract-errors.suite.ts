import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codes, table } from './contract-table.suite.ts'
import { acts, changed, fittingRequest, isPipeline, manifests, newName, openWorld, pipelines, send, takes, undo } from './contract-world.suite.ts'
import { systemClock } from '../../core/kernel/clock.ts'
import type { Clock } from '../../core/kernel/clock.ts'
import type { Code, Row } from './contract-table.suite.ts'
import type { Asked, Change, World } from './contract-world.suite.ts'
import type { Answer, Labs } from './deploy-lab.suite.ts'

/** No time at all has passed before anything can be read. */
const hasty: Clock = {
  now: systemClock.now,
  after(ms, work) {
    if (ms > 0) return systemClock.after(ms, work)
    const plan = setImmediate(work)
    return { cancel: () => clearImmediate(plan) }
  },
}

/** What each code says besides its message. */
const details: Partial<Record<Code, readonly string[]>> = {
  invalid_parameter: ['field'],
  invalid_name: ['field'],
  invalid_schedule: ['field'],
  invalid_configuration: ['field'],
  duplicate_field: ['field'],
  name_in_use: ['existing_id'],
  manifest_invalid: ['problems'],
  pipeline_invalid: ['problems'],
  schedule_not_allowed: ['problems'],
}

const identity: readonly Code[] = ['identity_required', 'invalid_token', 'identity_untrusted', 'unknown_identity', 'cross_site_request']

/** Codes that the table names for a route and that cannot happen on it here, with the reason. */
function unreachable(row: Row, code: Code): string | null {
  const config = takes(row, 'configuration')
  switch (code) {
    case 'invalid_name':
      if (acts(row) && !takes(row, 'namespace') && (isPipeline(row) || !takes(row, 'name'))) return 'the route takes no name of Kubernetes'
      return null
    case 'rate_limited':
      return row.auth === 'protected' ? 'only anonymous requests are counted, and a protected route has none' : null
    case 'repository_not_found':
    case 'branch_not_found':
    case 'directory_not_found':
      return config && isPipeline(row) ? 'what a task does not find is a problem of the pipeline (§7.2)' : null
    case 'runtime_unavailable':
      return acts(row) ? null : 'nothing is asked of the runtime before the answer'
    case 'git_unavailable':
    case 'git_timeout':
      return config && isPipeline(row) ? 'tested where the pipeline is in a repository' : null
    case 'overloaded':
      return acts(row) ? 'git refuses more readers than it has places for: its adapter has the test' : null
    case 'store_unavailable':
      return 'tested where the store goes away, on every route'
    default:
      return null
  }
}

const cases = table.flatMap((row) => {
  const codesOfRow: Code[] = ['method_not_allowed', ...(row.auth === 'protected' ? identity : []), ...row.errors]
  return codesOfRow.map((code) => [`${row.method} ${row.path}`, code, row] as const)
})

/** Each error that the contract's table names for a route, provoked there. */
export function errorSuite(labs: Labs): void {
  describe(`the errors of the Deploy API over ${labs.store}`, () => {
    let world: World
    /** One where nothing has room and nothing runs. */
    let full: World
    let idle: World
    let slow: World

    beforeAll(async () => {
      world = await openWorld(labs, { config: { trustedIdentityPeers: ['127.0.0.0/8'] } })
      full = await openWorld(labs, { config: { maxRunningPerNamespace: 1, maxQueuedPerNamespace: 0 } })
      idle = await openWorld(labs)
      slow = await openWorld(labs, { clock: hasty, config: { gitTimeoutMs: 0 } })
      const { id } = await world.lab.as<{ id: string }>(world.ann.principal, 'repository.create', { path: 'broken' })
      const folder = join(world.lab.folder, 'data', 'repositories', `${id}.git`)
      await rm(folder, { recursive: true })
      await writeFile(folder, 'what a broken disk left')
    })
    afterAll(() => Promise.all([world, full, idle, slow].map(({ lab }) => lab.close())))

    const plain =
      (change: Change | ((row: Row, asked: Asked) => Change)) =>
      async (row: Row): Promise<Answer> => {
        const asked = await fittingRequest(world, row)
        return send(world, row, changed(asked, typeof change === 'function' ? change(row, asked) : change))
      }
    /** A definition in the body, or the directory that holds it. */
    const definition = (manifest: keyof typeof manifests, pipeline: keyof typeof pipelines, name?: string) =>
      plain((row) => {
        const document = isPipeline(row) ? pipelines[pipeline] : manifests[manifest]
        if (takes(row, 'configuration')) return { fields: { configuration: JSON.stringify({ ...document, name: name ?? newName() }) } }
        return { parameters: { directory: isPipeline(row) ? pipeline : manifest } }
      })
    const place = (parameters: Record<string, string>) =>
      plain((row) => (takes(row, 'configuration') ? { fields: { repository: 'weather', directory: 'fetch', ...parameters } } : { parameters }))
    const form = (type: string, bytes: string) => plain({ body: { type, bytes } })
    const kindOf = (row: Row) => /(?<=delete\/)\w+/.exec(row.path)?.[0] ?? ''

    const provoke: Partial<Record<Code, (row: Row) => Promise<Answer>>> = {
      method_not_allowed: plain({ method: 'PATCH' }),
      identity_required: plain({ who: null }),
      invalid_token: plain({ who: null, headers: { authorization: 'Bearer nonsense' } }),
      identity_untrusted: plain({ who: null, headers: { identity: 'ann@lab.test' } }),
      unknown_identity: plain({ who: null, headers: { identity: 'nobody@lab.test' }, remoteAddress: '127.0.0.1' }),
      cross_site_request: plain({ headers: { purpose: 'prefetch' } }),
      invalid_parameter: plain((row) => {
        if (takes(row, 'template_path')) return { fields: { template_path: '../good.json' } }
        if (takes(row, 'configuration')) return { fields: { namespace: '' } }
        const [name = ''] = /(?<=:)\w+/.exec(row.path) ?? []
        return { parameters: { [name]: '%zz' } }
      }),
      invalid_name: plain((row) => {
        const name = takes(row, 'namespace') ? 'namespace' : 'name'
        return Object.hasOwn(row.fields, name) ? { fields: { [name]: 'no/name' } } : { parameters: { [name]: 'no/name' } }
      }),
      invalid_schedule: plain({ fields: { schedule: '61 * * * *' } }),
      invalid_configuration: plain({ fields: { configuration: '[]' } }),
      invalid_form: form('application/json', '{'),
      duplicate_field: form('application/x-www-form-urlencoded', 'x=1&x=1'),
      unsupported_media_type: form('text/plain', 'x'),
      payload_too_large: form('application/json', `"${'x'.repeat(1024 * 1024)}"`),
      forbidden: (row) => plain({ who: world.bob })(row),
      repository_not_found: place({ repository: 'nowhere' }),
      directory_not_found: place({ directory: 'nothing' }),
      branch_not_found: plain((row) => {
        if (takes(row, 'configuration')) return { fields: { repository: 'weather', directory: 'fetch', branch: 'nothing' } }
        return Object.hasOwn(row.fields, 'branch') ? { fields: { branch: 'nothing' } } : { parameters: { repository: 'bare' } }
      }),
      manifest_not_found: place({ directory: 'empty' }),
      pipeline_file_not_found: place({ directory: 'empty' }),
      template_not_found: plain({ fields: { template_path: 'none.json' } }),
      template_invalid: plain({ fields: { template_path: 'bad.json' } }),
      namespace_not_found: plain((row) => ({ parameters: { namespace: 'nowhere' }, who: row.auth === 'open' ? null : world.ann })),
      job_not_found: plain({ parameters: { job: 'nothing' } }),
      cronjob_not_found: plain({ parameters: { cronjob: 'nothing' } }),
      deployment_not_found: plain({ parameters: { deployment: 'nothing' } }),
      service_not_found: plain({ parameters: { service: 'nothing' } }),
      task_not_found: plain({ parameters: { id: 'unknown' } }),
      pipeline_not_found: plain({ parameters: { id: 'unknown' } }),
      work_not_found: plain({ parameters: { work_id: 'unknown' } }),
      manifest_invalid: definition('bad', 'bad_report'),
      pipeline_invalid: definition('bad', 'bad_report'),
      schedule_not_allowed: plain({ parameters: { directory: 'web' }, fields: { schedule: '@daily' } }),
      source_required: definition('image', 'report'),
      async dockerfile_not_found(row) {
        if (!takes(row, 'configuration')) return definition('image', 'report')(row)
        const configuration = JSON.stringify(manifests.image)
        return plain({ fields: { configuration, repository: 'weather', directory: 'fetch' } })(row)
      },
      async name_in_use(row) {
        const asked = await fittingRequest(world, row)
        const first = await send(world, row, asked)
        const second = await send(world, row, asked)
        expect(second.json.error?.details).toEqual({ existing_id: first.json.id })
        await undo(world, first)
        return second
      },
      async type_conflict(row) {
        const asked = await fittingRequest(world, row)
        const with_ = (name: 'web' | 'app') =>
          changed(
            asked,
            takes(row, 'configuration') ? { fields: { configuration: JSON.stringify(manifests[name]) } } : { parameters: { directory: name } },
          )
        const first = await send(world, row, with_('web'))
        const second = await send(world, row, with_('app'))
        await undo(world, first)
        return second
      },
      async deployment_backs_service(row) {
        const name = newName()
        const service = { repository: 'weather', directory: 'web', namespace: 'space', name }
        const first = await world.lab.as<{ id: string }>(world.ann.principal, 'task.deploy', service)
        const answer = await plain({ parameters: { [kindOf(row)]: name } })(row)
        await world.lab.as(world.ann.principal, 'task.delete', { namespace: 'space', name, type: 'service' })
        expect(first.id).toBeTruthy()
        return answer
      },
      async idempotency_key_reuse(row) {
        const asked = { ...(await fittingRequest(world, row)), headers: { 'idempotency-key': newName() } }
        const first = await send(world, row, asked)
        const configuration = JSON.stringify({ name: newName() })
        const other: Change = takes(row, 'configuration') ? { fields: { configuration } } : { parameters: { directory: 'other' } }
        const second = await send(world, row, changed(asked, other))
        await undo(world, first)
        return second
      },
      async quota_exceeded(row) {
        if (acts(row)) return send(full, row, await fittingRequest(full, row))
        const { lab, ann } = full
        await lab.services.store.write(({ loadings }) =>
          loadings.insert(loading(newName(), ann.id, { state: 'succeeded', finished_at: Date.now(), size: 2 ** 30 })),
        )
        return send(full, row, { ...(await fittingRequest(full, row)), who: ann })
      },
      async overloaded(row) {
        const { lab } = idle
        const ids = Array.from({ length: 64 }, newName)
        await lab.services.store.write(async ({ loadings }) => {
          for (const id of ids) await loadings.insert(loading(id, idle.bob.id, {}))
        })
        const answer = await send(idle, row, await fittingRequest(idle, row))
        await lab.services.store.write(async ({ loadings }) => {
          for (const id of ids) await loadings.update(id, { state: 'failed', finished_at: Date.now() })
        })
        return answer
      },
      async rate_limited(row) {
        const asked = { ...(await fittingRequest(world, row)), remoteAddress: '10.250.0.1' }
        for (;;) {
          const answer = await send(world, row, asked)
          if (answer.status !== 200) return answer
        }
      },
      async runtime_unavailable(row) {
        const asked = await fittingRequest(idle, row)
        idle.lab.runtime.unavailable = 'it has a day off'
        const answer = await send(idle, row, asked)
        idle.lab.runtime.unavailable = null
        return answer
      },
      git_timeout: async (row) =>
        send(
          slow,
          row,
          changed(await fittingRequest(slow, row), takes(row, 'configuration') ? { fields: { repository: 'weather', directory: 'fetch' } } : {}),
        ),
      git_unavailable: place({ repository: 'broken' }),
    }

    const loading = (id: string, user: string, more: object) => ({
      id: id.padStart(32, '0'),
      user_id: user,
      kind: 'task' as const,
      state: 'running' as const,
      step: 'resolving' as const,
      repository: 'weather',
      directory: 'fetch',
      branch: null,
      commit: null,
      size: 0,
      created_at: Date.now(),
      finished_at: null,
      error: null,
      problems: [],
      configuration: null,
      ...more,
    })

    test.each(cases.filter(([, code, row]) => unreachable(row, code) === null))('%s: %s', async (_, code, row) => {
      const answer = await (provoke[code] as (row: Row) => Promise<Answer>)(row)
      const { error } = answer.json
      expect([answer.status, error?.code], answer.text).toEqual([codes[code], code])
      expect(error?.message).toMatch(/\S.*\S/)
      expect(Object.keys(error?.details ?? {})).toEqual(details[code] ?? [])
      // Byte by byte but for its message, whose words are for people.
      const told = { code, message: error?.message, request_id: answer.headers['x-request-id'], details: error?.details }
      expect(answer.text).toBe(JSON.stringify({ error: told }))
      expect(answer.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
      expect(answer.headers['retry-after'] === undefined).toBe(![429, 502, 503, 504].includes(answer.status))
      if (answer.status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer realm="deploy-api"')
      for (const problem of (error?.details.problems ?? []) as object[]) {
        expect(Object.keys(problem).sort()).toEqual(['code', 'message', 'path', 'severity'])
      }
      expect(answer.text).not.toMatch(/\/tmp\/|\.ts:|at .*\(|SQLITE|select |postgres/i)
    })

    test('what is not reachable here is no more than this', () => {
      const found: Partial<Record<Code, number>> = {}
      for (const [, code, row] of cases) if (unreachable(row, code) !== null) found[code] = (found[code] ?? 0) + 1
      expect(found).toEqual({
        branch_not_found: 1,
        directory_not_found: 1,
        git_timeout: 1,
        git_unavailable: 1,
        invalid_name: 2,
        overloaded: 11,
        rate_limited: 11,
        repository_not_found: 1,
        runtime_unavailable: 6,
        store_unavailable: 4,
      })
    })
  })
}
