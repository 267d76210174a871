import type { Json, JsonObject } from '../kernel/json.ts'

/**
 * The language that pipelines, procedures and workflows are compiled to. A graph is plain data: it is stored with the run and means the same after a
 * restart. Nothing in it is code; expressions are text for the small interpreter of `expression.ts`.
 *
 * A node waits for its incoming edges, becomes ready or skipped, is created, runs and ends; every node of a graph that was opened ends exactly once.
 * An edge ends once as well, when its source has ended: *taken* or *dead* (see `state.ts`).
 */
type FlowGraph = {
  /** In definition order: it decides when there is a choice. */
  readonly nodes: readonly FlowNode[]
  readonly edges: readonly FlowEdge[]
  /** Most steps of this graph that run at once; null = no limit. Loops and scopes count as one each; passes, questions and timers do not count. */
  readonly parallel: number | null
  /** `halt`: once a node failed, no node with `when: 'no-error'` starts any more in this graph. `edges`: a failure only matters to its own edges. */
  readonly on_error: 'halt' | 'edges'
}

/** Text of the expression language: `steps.fetch.output.rows[0].id == input.id`. */
type Expression = string

/** Json whose strings may hold `{{expression}}`. A string that is one such tag and nothing else becomes the value itself, with its type. */
type Template = Json

type FlowNode = WorkNode | CallNode | RunNode | PassNode | LoopNode | ScopeNode | QuestionNode | TimerNode
type FlowNodeKind = FlowNode['kind']

type FlowNodeBase = {
  /** Unique in its graph, at most 100 printable characters, no `/`. */
  readonly id: string
  /** `all`: waits for every edge, runs if all are taken. `any`: runs at the first taken edge, once. */
  readonly join: 'all' | 'any'
  /** `always`: starts in a halted graph too, and after a stop with clean-up. */
  readonly when: 'no-error' | 'always'
  /** A failure of this node is recorded, and then followed as if it had succeeded. */
  readonly continue_on_failure?: boolean
  readonly title?: string
}

/** What the engine does with a step around its attempts. Times are milliseconds. */
type StepPolicy = {
  readonly retries: number
  readonly retry_delay_ms: number
  readonly retry_delay_max_ms: number
  readonly timeout_ms: number | null
  readonly grace_ms: number
}

/** Work for a runtime. `work` is opaque here; `input` is filled when the step is created. */
type WorkNode = FlowNodeBase & { readonly kind: 'work'; readonly work: Json; readonly input?: Template; readonly policy: StepPolicy }

/** An operation that the engine invokes as the run's starter. */
type CallNode = FlowNodeBase & {
  readonly kind: 'call'
  readonly operation: string
  readonly input: Template
  readonly policy?: StepPolicy
  /** After a restart it is done again when nobody knows whether it was done; else it is lost. */
  readonly repeatable?: true
  /** It takes no time worth telling, and may be done again: its start is no record of its own. */
  readonly instant?: true
}

/** A child run that is waited for. `draft` is opaque and never filled: it holds manifests of users; `input` is filled. */
type RunNode = FlowNodeBase & { readonly kind: 'run'; readonly draft: Json; readonly input?: Template }

/** No work: a decision or a join. Succeeds with its filled `output` (null when left out). */
type PassNode = FlowNodeBase & { readonly kind: 'pass'; readonly output?: Template }

/**
 * Runs `body` once a round, one round after the other. Its output is `{ rounds, broke, collected? }`.
 * `items` and `times` are evaluated once, before the first round; `while` before every round, where `steps` are those of the round before.
 * `collect` (a value for each round) and `break_if` see the steps of their round.
 */
type LoopNode = FlowNodeBase & {
  readonly kind: 'loop'
  readonly body: FlowGraph
  readonly over: LoopSource
  /** More rounds than this fail the loop. */
  readonly max_rounds: number
  readonly collect?: Expression
  readonly break_if?: Expression
  readonly parallel: 1
}
type LoopSource = { readonly items: Expression } | { readonly times: Expression | number } | { readonly while: Expression }

/** A sub-flow in place. `output` is filled with the steps of the body; null when left out. */
type ScopeNode = FlowNodeBase & { readonly kind: 'scope'; readonly body: FlowGraph; readonly output?: Template }

/**
 * Waits for the answer of a person. When nobody answers in time it fails, or goes on with `default` and `timed_out: true` as its output. The step's state
 * stays `timed_out`, and a default that says `approved: true` is refused: nobody's silence is a consent.
 */
type QuestionNode = FlowNodeBase & {
  readonly kind: 'question'
  readonly ask: Json
  readonly input?: Template
  readonly timeout_ms: number | null
} & ({ readonly on_timeout: 'fail' } | { readonly on_timeout: 'continue'; readonly default: JsonObject })

/** Waits until a moment (ms since 1970, or RFC 3339 text) or for a time (ms). */
type TimerNode = FlowNodeBase & { readonly kind: 'timer' } & ({ readonly until: Expression | number } | { readonly delay: Expression | number })

/** `success`: taken if the source succeeded. `failure`: if it failed. `finished`: however it ended, skipped included. `if` must hold as well. */
type FlowEdge = { readonly from: string; readonly to: string; readonly on: 'success' | 'failure' | 'finished'; readonly if?: Expression }

/** What the engine records as the output of a question that nobody answered in time (its state is `timed_out`); null when that is a failure. */
function timeoutAnswer(node: QuestionNode): JsonObject | null {
  return node.on_timeout === 'continue' ? { ...node.default, timed_out: true } : null
}

/** Bounds that every graph keeps; `check.ts` refuses what is beyond. */
const flowLimits = {
  nodes: 10_000,
  edges: 100_000,
  nesting: 8,
  id: 100,
  parallel: 10_000,
  rounds: 100_000,
  retries: 100,
  waitMs: 366 * 24 * 3_600_000,
  /** Steps that one run may make in all its rounds. */
  steps: 1_000_000,
  /** Characters of everything that a loop collects. */
  collected: 16 * 1024 * 1024,
} as const

export type {
  FlowGraph,
  Expression,
  Template,
  FlowNode,
  FlowNodeKind,
  FlowNodeBase,
  StepPolicy,
  WorkNode,
  CallNode,
  RunNode,
  PassNode,
  LoopNode,
  LoopSource,
  ScopeNode,
  QuestionNode,
  TimerNode,
  FlowEdge,
}
export { timeoutAnswer, flowLimits }
