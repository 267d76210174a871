const form = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/**
 * A text as a DNS label of at most `most` characters (Deploy API §4.4, rule N): lower-cased, `_`, `.` and space become `-`; null when that is none, or too long.
 * It is never cut or trimmed: two names that differ must not meet by accident.
 */
function labelOf(text: string, most: number): string | null {
  const label = labelLetters(text)
  return label.length <= most && form.test(label) ? label : null
}

/** The letters of a text as labels have them; what no label holds is still among them. */
function labelLetters(text: string): string {
  // Only A–Z: other alphabets have letters whose lower case is ASCII (the Kelvin sign), and they must not turn into one.
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[_. ]/g, '-')
}

export { labelOf, labelLetters }
