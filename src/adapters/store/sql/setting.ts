import type { JsonObject } from '../../../core/kernel/json.ts'
import type { SettingTable } from '../../../ports/store/tables.ts'
import type { Sql } from './sql.ts'

function settingTable(sql: Sql): SettingTable {
  const get = async (key: string): Promise<JsonObject | null> => {
    const raw = await sql.one('select value from setting where key = ?', [key])
    return raw === null ? null : (JSON.parse(String(raw.value)) as JsonObject) // written by the functions below only
  }
  return {
    get,
    async set(key, value) {
      const text = 'insert into setting (key, value) values (?, ?) on conflict (key) do update set value = excluded.value'
      await sql.run(text, [key, JSON.stringify(value)])
    },
    async setOnce(key, value) {
      await sql.run('insert into setting (key, value) values (?, ?) on conflict (key) do nothing', [key, JSON.stringify(value)])
      return (await get(key)) ?? value
    },
    async remove(key) {
      await sql.run('delete from setting where key = ?', [key])
    },
  }
}

export { settingTable }
