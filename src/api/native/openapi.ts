import { version } from '../../core/kernel/version.ts'
import type { AnyOperation } from '../../core/operation/operation.ts'
import type { Registry } from '../../core/operation/registry.ts'

type Node = Record<string, unknown>

/** The OpenAPI 3.1 document of the native API, made from the registry. */
function openApiDocument(registry: Registry, { publicUrl }: { publicUrl: string }): Node {
  const operations = [...registry.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const nouns = [...new Set(operations.map(nounOf))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'Capstan',
      version,
      description: 'Every operation is POST /api/v1/<name>, with its input as a JSON object.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    security: [{ bearer: [] }, { session: [] }],
    tags: [...nouns, 'stream', 'health'].map((name) => ({ name })),
    paths: { ...Object.fromEntries(operations.map((operation) => [`/api/v1/${operation.name}`, { post: operationNode(operation) }])), ...otherPaths },
    components: { securitySchemes, schemas, responses },
  }
}

function nounOf({ name }: AnyOperation): string {
  return name.slice(0, name.indexOf('.'))
}

function operationNode(operation: AnyOperation): Node {
  const needsInput = Array.isArray(Reflect.get(operation.input, 'required')) && (Reflect.get(operation.input, 'required') as unknown[]).length > 0
  const body = { schema: operation.input, example: operation.example }
  return {
    operationId: operation.name,
    tags: [nounOf(operation)],
    summary: operation.summary,
    ...(operation.description ? { description: operation.description } : {}),
    // Not in the standard: what a caller needs before any subject is looked at, and whether anything changes.
    'x-access': operation.access,
    'x-effect': operation.effect,
    ...(operation.access === 'anyone' ? { security: [] } : {}),
    requestBody: { required: needsInput, content: { 'application/json': body } },
    responses: { '200': answer('The output.', 'application/json', operation.output), ...refusals },
  }
}

function answer(description: string, type: string, schema: unknown): Node {
  return { description, content: { [type]: { schema } } }
}

const errorAnswer = { $ref: '#/components/responses/Error' }
const refusals = { '400': errorAnswer, '401': errorAnswer, '403': errorAnswer, '404': errorAnswer, '409': errorAnswer, default: errorAnswer }

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A session token of session.create, or the secret of an API key.' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: 'capstan_session',
    description: 'Set by session.create; does not count on requests from other sites.',
  },
}

const schemas = {
  Error: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message'],
        properties: {
          code: { type: 'string', description: 'A stable word; docs/errors.md lists them all.' },
          message: { type: 'string', description: 'A sentence for people: what is wrong and what to do next.' },
          details: { type: 'object', properties: { problems: { type: 'array', items: { $ref: '#/components/schemas/Problem' } } } },
        },
      },
    },
  },
  Problem: {
    type: 'object',
    required: ['path', 'code', 'message'],
    properties: {
      path: { type: 'string', description: 'Where, as a JSON pointer.' },
      code: { type: 'string' },
      message: { type: 'string' },
      severity: { type: 'string', enum: ['error', 'warning'] },
    },
  },
}

const responses = {
  Error: {
    description: 'Why not. With 429 and 503, Retry-After says when to try again.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  },
}

function get(operationId: string, tag: string, summary: string, rest: Node): Node {
  return { get: { operationId, tags: [tag], summary, ...rest } }
}

const text = { type: 'string' }
const since = {
  name: 'Last-Event-ID',
  in: 'header',
  description: 'The id of the last event that was seen: the stream goes on after it.',
  schema: text,
}
const logParameters = [
  { name: 'run', in: 'path', required: true, schema: text },
  { name: 'step', in: 'query', description: 'The name of a step; otherwise the first.', schema: text },
  { name: 'attempt', in: 'query', description: 'The number of an attempt; otherwise the last.', schema: { type: 'integer', minimum: 0 } },
  { name: 'offset', in: 'query', description: 'The byte to start at.', schema: { type: 'integer', minimum: 0 } },
  { name: 'follow', in: 'query', description: 'Whether to go on until the step has ended.', schema: { type: 'boolean' } },
  since,
]

const otherPaths = {
  '/api/v1/events': get('events', 'stream', 'Changes that the caller may know of, as server-sent events.', {
    description:
      'The event is named after the kind of the thing; its data is JSON with kind, id, name and state. "reset" means: read everything anew.',
    parameters: [since],
    responses: { '200': answer('The stream.', 'text/event-stream', text), ...refusals },
  }),
  '/api/v1/runs/{run}/log': get('run-log', 'stream', 'The output of a run, as text or followed as server-sent events.', {
    parameters: logParameters,
    responses: {
      '200': { description: 'The output.', content: { 'text/plain': { schema: text }, 'text/event-stream': { schema: text } } },
      ...refusals,
    },
  }),
  '/api/v1/openapi.json': get('openapi', 'health', 'This document.', {
    security: [],
    responses: { '200': answer('An OpenAPI document.', 'application/json', { type: 'object' }) },
  }),
  '/healthz': get('healthz', 'health', 'Whether the process answers.', {
    security: [],
    responses: { '200': answer('It does.', 'application/json', { type: 'object' }) },
  }),
  '/readyz': get('readyz', 'health', 'Whether work can be taken.', {
    security: [],
    responses: {
      '200': answer('It can.', 'application/json', { type: 'object' }),
      '503': answer('It cannot: which part fails.', 'application/json', { type: 'object' }),
    },
  }),
  '/metrics': get('metrics', 'health', 'Figures for Prometheus.', {
    security: [],
    responses: { '200': answer('Prometheus text.', 'text/plain', text) },
  }),
}

export { openApiDocument }
