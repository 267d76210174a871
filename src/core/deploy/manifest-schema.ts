const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength })
const vector = { type: 'array', maxItems: 1024, items: { type: 'string', maxLength: 32_768 } }
const variableName = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 1024 }

const secretKeyRef = {
  type: 'object',
  required: ['name', 'key'],
  properties: { name: text(253), key: text(253), optional: { type: 'boolean' } },
  additionalProperties: false,
}

/**
 * The shape of a manifest.json (Deploy API §6.1), member by member. What depends on several members, or has several forms (labels, quantities, `published`),
 * is checked in `manifest.ts`, because a schema can only say of those that something is wrong.
 */
const manifestSchema = {
  type: 'object',
  required: ['type'],
  properties: {
    name: text(253),
    type: { type: 'string', enum: ['job', 'deployment', 'service'] },
    labels: {},
    'image-destination': { ...text(512), pattern: '^[^\\s]+$' },
    image: { ...text(512), pattern: '^[^\\s]+$' },
    'image-pull-policy': { type: 'string', enum: ['Always', 'IfNotPresent', 'Never'] },
    cmd: vector,
    args: vector,
    env: {
      type: 'array',
      maxItems: 512,
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: variableName,
          value: { type: 'string', maxLength: 131_072 },
          valueFrom: { type: 'object', required: ['secretKeyRef'], properties: { secretKeyRef }, additionalProperties: false },
        },
        additionalProperties: false,
      },
    },
    'cpu-limit': {},
    'cpu-request': {},
    'memory-limit': {},
    'memory-request': {},
    schedule: { type: 'string', maxLength: 128 },
    replicas: { type: 'integer', minimum: 0, maximum: 1000 },
    'container-port': { type: 'integer', minimum: 1, maximum: 65_535 },
    published: {},
    retries: { type: 'integer', minimum: 0, maximum: 10 },
    'timeout-seconds': { type: 'integer', minimum: 0, maximum: 604_800 },
    'termination-grace-seconds': { type: 'integer', minimum: 0, maximum: 3600 },
    'concurrency-policy': { type: 'string', enum: ['Allow', 'Forbid', 'Replace'] },
  },
  additionalProperties: true,
} as const

/** The shape of `published` when it is an object with members. */
const publishedSchema = {
  type: 'object',
  required: ['prefix'],
  properties: {
    access: { type: 'string', maxLength: 128 },
    prefix: { type: 'string', maxLength: 256, pattern: '^/([A-Za-z0-9._~-]+/)+$' },
    rewrite: { type: 'string', maxLength: 256, pattern: '^$|^/' },
    timeout_ms: { type: 'integer', minimum: 1, maximum: 3_600_000 },
    sticky_sessions: { type: 'boolean' },
    bypass_auth: { type: 'boolean' },
  },
  additionalProperties: true,
} as const

/** The shape of a pipeline.json (Deploy API §7.1). Its graph is checked in `pipeline.ts`. */
const pipelineSchema = {
  type: 'object',
  required: ['name', 'tasks'],
  properties: {
    name: { ...text(100), pattern: '^[A-Za-z0-9][A-Za-z0-9._ -]*$' },
    original: { type: 'string', maxLength: 253 },
    tasks: {
      type: 'array',
      minItems: 1,
      maxItems: 500,
      items: {
        type: 'object',
        required: ['name', 'namespacetask'],
        properties: {
          name: { ...text(100), pattern: '^[A-Za-z0-9][A-Za-z0-9._ -]*$' },
          namespacetask: { type: 'string', maxLength: 512, pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)+$' },
          dependance: { type: 'array', maxItems: 500, uniqueItems: true, items: { type: 'string', minLength: 1, maxLength: 100 } },
          'run-if-error': { type: 'boolean' },
          env: {
            type: 'array',
            maxItems: 512,
            items: {
              type: 'object',
              required: ['name', 'value'],
              properties: { name: variableName, value: { type: 'string', maxLength: 131_072 } },
              additionalProperties: false,
            },
          },
        },
        additionalProperties: true,
      },
    },
  },
  additionalProperties: true,
} as const

export { manifestSchema, publishedSchema, pipelineSchema }
