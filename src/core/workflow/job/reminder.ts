/** Bounds of `parameters.reminder`, our extension on a human decision that tells somebody. */
const reminderLimits = { leastSeconds: 1, mostSeconds: 31 * 24 * 3600, most: 20 } as const

export { reminderLimits }
