import type { JsonObject } from '../../kernel/json.ts'

/**
 * A workflow as one version holds it, whichever file it came from: members of a step are those that the engine knows, `kept` is everything else of the
 * file, so that an export gives it back member by member. Plain data: it is stored with the version and means the same after a restart.
 */
type WorkflowDocument = {
  /** How steps are named in templates and rules: by name (`kom` 0.4) or by node id (`icon` 2.0.0). It is also the format that it came in. */
  readonly format: 'kom' | 'icon'
  readonly name: string
  readonly description: string
  /** A `snippet` is run by a step of another workflow. */
  readonly type: 'normal' | 'snippet'
  readonly tags: readonly string[]
  readonly steps: readonly WorkflowStep[]
  readonly paths: readonly WorkflowPath[]
  /** Workflow parameters by name, for `{{$workflow.[Name]}}`: the schema's defaults. */
  readonly parameters: JsonObject
  /** The triggers that came with it, as the file has them; bound triggers are records of their own. */
  readonly triggers: readonly JsonObject[]
  /** Members of the file that nothing here understands, of the workflow itself and of the file around it. */
  readonly kept: JsonObject
}

type WorkflowStepType =
  | 'trigger'
  | 'api_trigger'
  | 'snippet_map'
  | 'action'
  | 'artifact'
  | 'automated_decision'
  | 'human_decision'
  | 'decision_chatops'
  | 'action_chatops'
  | 'filter'
  | 'loop'
  | 'break'
  | 'join'
  | 'pattern_match'
  | 'helpers'
  | 'snippet'
  | 'end'

type WorkflowStep = {
  /** Unique in its version only: a UUID in `kom`, a node id in `icon`. */
  readonly id: string
  /** The loop that it is in; '' outside of any. */
  readonly parent: string
  readonly name: string
  readonly description: string
  /** One of `WorkflowStepType`, or what the file says: an unknown type is kept, and found by validation. */
  readonly type: string
  readonly continue_on_failure: boolean
  readonly is_disabled: boolean
  /** As the file has them, in the names of the 2.0.0 format where the two formats differ (contract §9, §10). */
  readonly parameters: JsonObject
  /** For actions and plugin triggers: what is called. */
  readonly plugin: WorkflowPlugin | null
  /** The stored connection that a plugin step uses, by its number or by its name; null: none. */
  readonly connection: number | string | null
  /** Members of the step that nothing here understands. */
  readonly kept: JsonObject
}

type WorkflowPlugin = {
  readonly vendor: string
  readonly name: string
  readonly version: string
  /** The name of the action or trigger in the plugin. */
  readonly identifier: string
}

type WorkflowPath = {
  readonly id: string
  readonly from: string
  /** '': the end of the job, or of the loop's body. */
  readonly to: string
  /** The choice, on paths out of a decision. */
  readonly name: string
  readonly description: string
  readonly parent: string
  readonly kept: JsonObject
}

/** What is wrong with a document. `step` and `input` name the place for whoever mends it; '' where it is the whole workflow. */
type Finding = { readonly step: string; readonly input: string; readonly message: string }

export type { WorkflowDocument, WorkflowStepType, WorkflowStep, WorkflowPlugin, WorkflowPath, Finding }
