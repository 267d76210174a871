import { expect, test } from 'vitest'
import { flushPacket, packet } from './pkt-line.ts'
import { ReportHold } from './report.ts'

const band = (number: number, bytes: Buffer) => packet(Buffer.concat([Buffer.from([number]), bytes]))
const report = Buffer.concat([packet('unpack ok\n'), packet('ok refs/heads/a\n'), packet('ng refs/heads/b no\n'), flushPacket])

test('progress goes on at once, the report and all behind it waits, however the bytes are cut', () => {
  const progress = [band(2, Buffer.from('indexing')), packet(Buffer.from([1])), band(2, Buffer.from('done'))]
  const held = [band(1, report.subarray(0, 20)), band(2, Buffer.from('late')), band(1, report.subarray(20)), flushPacket]
  const all = Buffer.concat([...progress, ...held])
  for (const size of [1, 3, 7, 1000]) {
    const hold = new ReportHold({ sideBand: true })
    const passed: Buffer[] = []
    for (let at = 0; at < all.length; at += size) {
      hold.add(all.subarray(at, at + size))
      passed.push(hold.takeProgress() ?? Buffer.alloc(0))
    }
    expect(Buffer.concat(passed)).toEqual(Buffer.concat(progress))
    expect(hold.updated()).toEqual(new Set(['refs/heads/a']))
    expect(hold.takeHeld()).toEqual(Buffer.concat(held))
  }
})

test('a report that is cut off, or none, says nothing about refs', () => {
  for (const bytes of [report.subarray(0, -4), Buffer.alloc(0), Buffer.from('nonsense')]) {
    const hold = new ReportHold({ sideBand: false })
    hold.add(bytes)
    expect(hold.updated()).toBeNull()
    expect(hold.takeProgress()).toBeNull()
  }
})

test('progress that nobody takes is dropped in whole packets, a report without end is refused', () => {
  const hold = new ReportHold({ sideBand: true })
  const line = band(2, Buffer.alloc(10_000))
  for (let i = 0; i < 100; i++) hold.add(line)
  const kept = hold.takeProgress() ?? Buffer.alloc(0)
  expect(kept.length % line.length).toBe(0)
  expect(kept.length).toBeLessThan(300_000)
  hold.add(band(1, Buffer.from('x')))
  expect(() => {
    for (let i = 0; i < 1000; i++) hold.add(line)
  }).toThrow(/more than/)
})
