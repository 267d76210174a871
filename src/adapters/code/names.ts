const idPattern = /^[0-9a-z](?:[0-9a-z-]{0,62}[0-9a-z])?$/

/** Whether a text may become part of a path as the id of a repository. */
function isRepositoryId(text: string): boolean {
  return idPattern.test(text)
}

// Code points that HFS+ leaves out when it compares names.
const invisible = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/** A part of a path as the laxest file system reads it: without invisible characters, streams, trailing dots and blanks, and in lower case. */
function plainSpelling(part: string): string {
  return part
    .replace(invisible, '')
    .toLowerCase()
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '')
}

export { isRepositoryId, plainSpelling }
