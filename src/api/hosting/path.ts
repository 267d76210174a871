const longestPath = 2000

/**
 * The path of a repository out of the path of an address, percent signs decoded once; null when it can be nobody's. Slashes in front are tolerated (Kallithea
 * contract §12.1); everything else that only looks like a path is no repository's.
 */
function repositoryPath(text: string): string | null {
  const segments = text.replace(/^\/+/, '').split('/').map(decoded)
  const path = segments.join('/')
  return segments.includes(null) || path.length > longestPath ? null : path
}

function decoded(segment: string): string | null {
  try {
    const text = decodeURIComponent(segment)
    const strange = text === '' || text === '.' || text === '..' || /[/\\\p{Cc}]/u.test(text)
    return strange ? null : text
  } catch {
    return null
  }
}

export { repositoryPath }
