/** What was counted since the start, by name and labels. */
type Counted = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

type Metrics = {
  /** Counts something for /metrics. Labels come from closed sets (API, status, operation): never from a request's free text. */
  count(name: string, labels?: Readonly<Record<string, string>>): void
  counted(): readonly Counted[]
}

const none: Readonly<Record<string, string>> = {}
const mostSeries = 10_000

/** Counters in memory: an increment is a look-up, and the library that prints them is loaded by the first scrape. */
function createMetrics(): Metrics {
  const series = new Map<string, { name: string; labels: Readonly<Record<string, string>>; value: number }>()
  return {
    count(name, labels = none) {
      let key = name
      for (const label in labels) key += `\n${label}\t${labels[label]}`
      const known = series.get(key)
      if (known) known.value++
      else if (series.size < mostSeries) series.set(key, { name, labels, value: 1 })
    },
    counted: () => [...series.values()].map((entry) => ({ ...entry })),
  }
}

export type { Counted, Metrics }
export { createMetrics }
