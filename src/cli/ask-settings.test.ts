import { expect, test } from 'vitest'
import { askSettings } from './ask-settings.ts'
import type { Terminal } from './terminal.ts'

const schema = {
  type: 'object',
  properties: {
    host: { type: 'string' },
    port: { type: 'integer', default: 587 },
    mode: { type: 'string', enum: ['plain', 'tls'] },
    credentials: { $ref: '#/definitions/login' },
  },
  required: ['host'],
  definitions: {
    login: {
      type: 'object',
      properties: { username: { type: 'string' }, password: { type: 'string', format: 'password' } },
      required: ['username', 'password'],
    },
  },
}

async function answered(answers: string[]) {
  const asked: string[] = []
  const terminal = {
    async ask(question: string, { hidden = false } = {}) {
      asked.push(hidden ? `${question}(hidden)` : question)
      return answers.shift() ?? ''
    },
  } as Terminal // nothing else of it is used
  return { asked, given: await askSettings(terminal, schema) }
}

test('each setting is asked for by its name, with what it may be, and secrets are not shown', async () => {
  const { asked, given } = await answered(['mail.lab.test', '25', 'tls', 'u', 'p'])
  expect(asked).toEqual([
    'host: ',
    'port [587]: ',
    'mode (plain, tls) (may be left empty): ',
    'credentials.username (may be left empty): ',
    'credentials.password: (hidden)',
  ])
  expect(given).toEqual({ host: 'mail.lab.test', port: 25, mode: 'tls', credentials: { username: 'u', password: 'p' } })
})

test('what is left empty is left out, and what must be there is missed', async () => {
  expect((await answered(['h', '', '', ''])).given).toEqual({ host: 'h' })
  await expect(answered([''])).rejects.toThrow('host is missing.')
  await expect(answered(['h', 'many'])).rejects.toThrow('port is not of type integer.')
  await expect(answered(['h', '', '', 'u', ''])).rejects.toThrow('credentials.password is missing.')
})
