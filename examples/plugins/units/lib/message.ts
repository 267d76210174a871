type Message = { readonly type?: unknown; readonly body?: { readonly action?: unknown; readonly trigger?: unknown; readonly meta?: unknown; readonly input?: Input } }
type Input = { readonly value?: unknown; readonly from?: unknown; readonly to?: unknown }

const metres: ReadonlyMap<unknown, number> = new Map([
  ['mm', 0.001],
  ['cm', 0.01],
  ['m', 1],
  ['km', 1000],
  ['in', 0.0254],
  ['ft', 0.3048],
  ['mi', 1609.344],
])

/** What the plugin says to a message: an envelope, whatever the message was. */
export function answer(message: Message, { test }: { test: boolean }) {
  const name = message.body?.action ?? message.body?.trigger
  const common = { log: `example/Units:1.0.0. Step name: ${String(name)}\n`, meta: message.body?.meta ?? {} }
  const envelope = (body: object & { status: 'ok' | 'error' }) => ({ version: 'v1', type: 'action_event', body: { ...common, ...body } })
  if (message.type !== 'action_start' && !(test && message.type === 'trigger_start'))
    return envelope({ status: 'error', error: `Unsupported message type "${String(message.type)}"` })
  if (test) return envelope({ status: 'ok', output: null })
  if (name !== 'convert') return envelope({ status: 'error', error: `Unknown action "${String(name)}"` })
  return envelope(convert(message.body?.input ?? {}))
}

function convert({ value, from, to }: Input) {
  const [one, other] = [metres.get(from), metres.get(to)]
  if (typeof value !== 'number' || one === undefined || other === undefined) {
    const [cause, assistance] = ['The input is not a length.', 'Give a number and two of mm, cm, m, km, in, ft and mi.']
    const error = `An error occurred during plugin execution!\n\n${cause} ${assistance}`
    return { status: 'error' as const, error, exception: { cause, assistance, data: { value: String(value) } } }
  }
  const result = Number(((value * one) / other).toPrecision(12))
  return { status: 'ok' as const, output: { value: result, text: `${value} ${from} is ${result} ${to}` } }
}

/** A message to begin with, as the original runtimes print one. */
export function sample(name: string) {
  const common = { meta: {}, connection: {} }
  if (name === 'convert') return { version: 'v1', type: 'action_start', body: { action: name, ...common, input: { value: 2.5, from: 'km', to: 'm' } } }
  if (name === 'count') {
    const dispatcher = { url: 'http://localhost:8000', webhook_url: '' }
    return { version: 'v1', type: 'trigger_start', body: { trigger: name, ...common, input: { to: 3, pause: 1 }, dispatcher } }
  }
  return null
}
