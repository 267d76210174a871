import { contextLimit, sizeOf } from './outcome.ts'
import type { Json } from '../kernel/json.ts'
import type { StepResult } from './outcome.ts'

/** Inputs of steps that one run may keep: each step inside of a loop has the element of its round in its own. */
const inputLimit = 256 * 1024 * 1024

/** What the steps of one run keep, outputs and inputs; beyond what a run may keep the next step fails by name. */
class ContextBudget {
  #outputs = 0
  #inputs = 0

  /** Characters of the outputs that are kept. */
  get outputs(): number {
    return this.#outputs
  }

  /** Counts what steps hold, that is kept already or from now on. */
  keep(steps: readonly { readonly input: Json }[], outputs: number): void {
    for (const { input } of steps) this.#inputs += sizeOf(input)
    this.#outputs += outputs
  }

  /** The result of a step as far as there is room for it. */
  admit(key: string, result: StepResult): StepResult {
    const size = sizeOf(result.output ?? null)
    if (this.#outputs + size <= contextLimit && this.#inputs <= inputLimit) {
      this.#outputs += size
      return result
    }
    const [what, limit] = this.#inputs > inputLimit ? ['inputs of the steps', inputLimit] : ['outputs', contextLimit]
    const message = `The step "${key}" would make the ${what} of this run larger than ${limit / 1024 / 1024} MiB`
    return { ...result, state: 'failed', reason: 'context_too_large', message, output: null }
  }
}

export { ContextBudget }
