import { createEgress } from '../egress/egress.ts'
import { openLab } from './plugin-lab.suite.ts'

// A server of its own for the test that kills it: `node container-server.suite.ts <home> <socket> <image>`. Calls one image and waits.

const [, , home = '', socketPath = '', image = ''] = process.argv
const lab = await openLab({ home, engine: { address: { socketPath }, egress: createEgress({ allow: [] }) } })
const plugin = { vendor: 'test', name: 'held', version: '1.0.0', runtime: 'container', path: null, image, cache: false } as const
void lab.act(plugin, { timeoutMs: 600_000 }).catch(() => {})
setInterval(() => {}, 60_000)
process.stdout.write('up\n')
