/** What the search of the platform may cost for each character of the text: it takes the product of both lengths where both are made for it. */
const shortPart = 32

/**
 * A search for a text inside of texts: where the first one is that begins at `from` or behind, or -1. Takes time that grows with the two lengths and never
 * with their product, whoever chose them.
 */
function textFinder(part: string): (text: string, from?: number) => number {
  if (part.length <= shortPart) return (text, from = 0) => text.indexOf(part, from)
  const borders = bordersOf(part)
  return (text, from = 0) => {
    let matched = 0
    for (let at = from; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      while (matched > 0 && part.charCodeAt(matched) !== unit) matched = borders[matched - 1] ?? 0
      if (part.charCodeAt(matched) === unit) matched++
      if (matched === part.length) return at + 1 - matched
    }
    return -1
  }
}

/** For each beginning of the part, the length of the longest shorter beginning that it ends with. */
function bordersOf(part: string): Int32Array {
  const borders = new Int32Array(part.length)
  let length = 0
  for (let at = 1; at < part.length; at++) {
    const unit = part.charCodeAt(at)
    while (length > 0 && part.charCodeAt(length) !== unit) length = borders[length - 1] ?? 0
    if (part.charCodeAt(length) === unit) length++
    borders[at] = length
  }
  return borders
}

export { textFinder }
