/** A secret that a test plants, and every text by which it would give itself away. */
export type Canary = { readonly what: string; readonly value: string }

/** The canary as it is, in base64 (at each place of a group of three), percent-encoded, as a JSON string, and in hex. */
export function formsOf({ value }: Canary): Record<string, string> {
  const bytes = Buffer.from(value)
  const base64 = (before: number) =>
    Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .slice(before === 0 ? 0 : before + 1)
      .replace(/..?=*$/, '')
  return {
    plain: value,
    base64: base64(0),
    'base64, second place': base64(1),
    'base64, third place': base64(2),
    percent: encodeURIComponent(value),
    json: JSON.stringify(value).slice(1, -1),
    hex: bytes.toString('hex'),
    'hex, upper case': bytes.toString('hex').toUpperCase(),
  }
}

/** Where any canary shows in a text, in any form: nothing, if all is well. */
export function showing(canaries: readonly Canary[], where: string, text: string): string[] {
  return canaries.flatMap((canary) =>
    Object.entries(formsOf(canary))
      .filter(([, form]) => text.includes(form))
      .map(([form]) => `${canary.what} shows in ${where} (${form})`),
  )
}
