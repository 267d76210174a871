const cpuPattern = /^(?:([0-9]+(?:\.[0-9]{1,3})?)|([0-9]+)m)$/
const memoryPattern = /^([0-9]+(?:\.[0-9]+)?)(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/

const units: Readonly<Record<string, number>> = {
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
}

/** Cores of a CPU quantity (`0.20`, `200m`, 0.2), or null when it is none. */
function cpuCores(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value > 0 ? value : null
  const found = typeof value === 'string' && value.length <= 32 ? cpuPattern.exec(value) : null
  if (!found) return null
  return found[1] !== undefined ? Number(found[1]) : Number(found[2]) / 1000
}

/** Bytes of a memory quantity (`200Mi`, `1.5G`, 1048576), or null when it is none. */
function memoryBytes(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 1 ? value : null
  const found = typeof value === 'string' && value.length <= 32 ? memoryPattern.exec(value) : null
  if (!found) return null
  const bytes = Math.floor(Number(found[1]) * (found[2] === undefined ? 1 : (units[found[2]] ?? Number.NaN)))
  return Number.isSafeInteger(bytes) ? bytes : null
}

export { cpuCores, memoryBytes }
