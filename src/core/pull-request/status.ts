/** What a vote can say. */
const statuses = ['not_reviewed', 'under_review', 'rejected', 'approved'] as const
type Status = (typeof statuses)[number]

/** The vote of a comment; null when it is none. */
function statusOf({ status }: { readonly status: string | null }): Status | null {
  return statuses.find((known) => known === status) ?? null
}

export type { Status }
export { statuses, statusOf }
