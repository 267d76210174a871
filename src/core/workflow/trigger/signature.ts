import { createHmac, timingSafeEqual } from 'node:crypto'

/** The signature of a post, as `sha256=<hex>`: over its body, or over `<time>.<body>` where the time is signed as well. */
function signatureOf(secret: string, body: string, time: string | null): string {
  return `sha256=${createHmac('sha256', secret)
    .update(time === null ? body : `${time}.${body}`)
    .digest('hex')}`
}

/** Whether two texts are the same, in a time that does not tell how far they are. */
function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Whether a signed time, in seconds since 1970, is at most so far away. */
function isNear(time: string, now: number, seconds: number): boolean {
  return /^\d{1,12}$/.test(time) && Math.abs(now - Number(time) * 1000) <= seconds * 1000
}

export { signatureOf, sameText, isNear }
