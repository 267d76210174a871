import { sleep } from '../../../kernel/clock.ts'
import { builtinPlugin } from '../builtin.ts'
import { numberInput } from '../input.ts'
import { timersSpec } from './spec.ts'
import type { BuiltinPlugin } from '../builtin.ts'

/** Timers. A step that delays is compiled to a timer of the graph and never comes here; a delay of one element of a repeated action would. */
const timersPlugin: BuiltinPlugin = builtinPlugin('timers', timersSpec, {
  delay: {
    repeatable: true,
    async run({ services, signal }, input) {
      await sleep(services.clock, Math.max(numberInput(input, 'delay'), 0) * 1000, signal)
      return {}
    },
  },
})

/** The same under the names of the product that most workflow files come from (contract §17). */
const timersByOthers: readonly BuiltinPlugin[] = ['rapid7', 'komand'].map((vendor) => ({
  ...timersPlugin,
  vendor,
  spec: timersSpec.replace('vendor: capstan', `vendor: ${vendor}`),
}))

export { timersPlugin, timersByOthers }
