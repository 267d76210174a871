import type { Sql } from './sql.ts'

/** The next number of a counter that starts at 1. Two transactions that count wait for each other, so no number is given twice. */
async function nextSerial(sql: Sql, name: string): Promise<number> {
  const row = await sql.one(
    'insert into serial (name, value) values (?, 1) on conflict (name) do update set value = serial.value + 1 returning value',
    [name],
  )
  return Number(row?.value)
}

/** Notes that a number was given by somebody else, so that the counter goes on behind it. */
async function claimSerial(sql: Sql, name: string, value: number): Promise<void> {
  await sql.run(
    `insert into serial (name, value) values (?, ?) on conflict (name)
     do update set value = case when serial.value < excluded.value then excluded.value else serial.value end`,
    [name, value],
  )
}

/** The number that a row says, noted, or else the next one. */
async function serialOf(sql: Sql, name: string, said: number | undefined): Promise<number> {
  if (said === undefined) return nextSerial(sql, name)
  await claimSerial(sql, name, said)
  return said
}

export { nextSerial, serialOf }
