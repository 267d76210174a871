import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEgress } from '../../../../adapters/egress/egress.ts'
import { createMailer } from '../../../../adapters/mailer/smtp.ts'
import { callTest, failureOf } from '../testing/call.ts'
import { mailPlugin } from './plugin.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import type { Services } from '../../../operation/services.ts'

const letters: { from: string; to: string[]; user: string; text: string }[] = []
const server = new SMTPServer({
  authOptional: true,
  allowInsecureAuth: true,
  disabledCommands: ['STARTTLS'],
  onAuth: ({ username = '', password }, _, done) =>
    password === 'right' ? done(null, { user: username }) : done(new Error('no, not with secret-word')),
  onRcptTo: ({ address }, _, done) => done(address.startsWith('nobody') ? new Error('no such user here') : null),
  onData(stream, { envelope, user }, done) {
    let text = ''
    stream.on('data', (chunk) => (text += chunk))
    stream.on('end', () => {
      const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address
      letters.push({ from, to: envelope.rcptTo.map(({ address }) => address), user: String(user ?? ''), text })
      done()
    })
  },
})
server.on('error', () => {})
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  port = (server.server.address() as AddressInfo).port // it listens on TCP
})
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())))

const mailerWith = (url: string | null) => ({ mailer: createMailer({ url, from: 'capstan@lab.test', egress: createEgress({ allow: [] }) }) })
const letter = { to: ['Ann <ann@lab.test>'], subject: 'Grüße', text: 'Hello\n.\nend' }
const send = (input: JsonObject, url = `smtp://127.0.0.1:${port}`) => callTest('mail', 'send', input, { services: mailerWith(url) })
const refused = (input: JsonObject, url: string | null = `smtp://127.0.0.1:${port}`) =>
  failureOf('mail', 'send', input, { services: mailerWith(url) })

test('a letter arrives whole at everybody, hidden recipients hidden', async () => {
  const attachments = [
    { filename: 'a.txt', text: 'attached' },
    { filename: 'b.bin', base64: '/wA=' },
  ]
  const sent = await send({ ...letter, cc: ['bob@lab.test'], bcc: ['eve@lab.test'], html: '<p>Hello</p>', reply_to: 'desk@lab.test', attachments })
  expect(sent).toMatchObject({ accepted: ['ann@lab.test', 'bob@lab.test', 'eve@lab.test'], refused: [] })
  const got = letters.at(-1)
  expect(got).toMatchObject({ from: 'capstan@lab.test', to: ['ann@lab.test', 'bob@lab.test', 'eve@lab.test'] })
  expect(got?.text).toMatch(/^Subject: =\?UTF-8\?/m)
  expect(got?.text).toMatch(/^Reply-To: desk@lab\.test/m)
  expect(got?.text).toContain(Buffer.from('attached').toString('base64'))
  expect(got?.text).not.toContain('eve@lab.test')
})

test('who is refused is named, and a letter that nobody may have fails', async () => {
  expect(await send({ ...letter, cc: ['nobody@lab.test'] })).toMatchObject({ accepted: ['ann@lab.test'], refused: ['nobody@lab.test'] })
  expect(await refused({ ...letter, to: ['nobody@lab.test'] })).toMatch(/ActionFailed: The mail server refuses the sender or all recipients/)
})

test('the configured server is signed in to, and a wrong password fails without showing anything of it', async () => {
  await send(letter, `smtp://ann:right@127.0.0.1:${port}`)
  expect(letters.at(-1)?.user).toBe('ann')
  const said = await refused(letter, `smtp://ann:secret-word@127.0.0.1:${port}`)
  expect(said).toBe('ActionFailed: The mail server does not take the user name and password')
})

test('without a server it says how to get one', async () => {
  expect(await refused(letter, null)).toMatch(/No mail server is configured; an operator sets CAPSTAN_SMTP_URL/)
})

test.each<readonly [JsonObject, RegExp]>([
  [{ ...letter, subject: 'a\r\nBcc: eve@lab.test' }, /"subject" is text of one line/],
  [{ ...letter, to: ['ann@lab.test\r\nX: y'] }, /"to" is text of one line/],
  [{ ...letter, to: ['ann@lab.test, bob@lab.test'] }, /"ann@lab\.test, bob@lab\.test" of "to" is not one address/],
  [{ ...letter, to: ['All: ann@lab.test, bob@lab.test;'] }, /is not one address/],
  [{ ...letter, cc: ['nobody'] }, /"nobody" of "cc" is not one address/],
  [{ ...letter, to: ['<ann@lab.test> SIZE=1'] }, /is not one address/],
  [{ ...letter, from: 'a@lab.test, b@lab.test' }, /of "from" is not one address/],
  [{ ...letter, to: [] }, /"to" names nobody/],
  [{ ...letter, to: 'ann@lab.test' }, /"to" must be of type array/],
  [{ ...letter, to: [5] }, /"to\.0" must be of type string/],
  [{ ...letter, bcc: Array.from({ length: 100 }, () => 'a@lab.test') }, /at most 100 recipients/],
  [{ ...letter, attachments: [{ text: 'x' }] }, /"attachments\.0\.filename" is required/],
])('a letter %# that is none is refused', async (input, message) => {
  expect(await refused(input)).toMatch(message)
})

test('a server that a user names is reached through the guard, and gets no password in the open', async () => {
  const own = { host: 'mail.test', port, security: 'none', user: '', password: '', from: 'x@lab.test' } as const
  const lookup = async () => [{ address: '127.0.0.1' }]
  const { signal } = new AbortController()
  const post = { to: ['ann@lab.test'], cc: [], bcc: [], from: '', replyTo: '', subject: 's', text: 't', html: '', attachments: [] }
  const closed = createMailer({ url: null, from: '', egress: createEgress({ allow: [], lookup }) })
  await expect(closed.send(post, { server: own, signal })).rejects.toThrow(/mail\.test may not be called/)
  const open = createMailer({ url: null, from: '', egress: createEgress({ allow: ['127.0.0.1/32'], lookup }) })
  expect(await open.send(post, { server: own, signal })).toMatchObject({ accepted: ['ann@lab.test'] })
  expect(letters.at(-1)?.from).toBe('x@lab.test')
  const before = letters.length
  await expect(open.send(post, { server: { ...own, security: 'starttls', user: 'ann', password: 'right' }, signal })).rejects.toThrow(
    /The mail server|letter/,
  )
  expect(letters.length).toBe(before)
})

test.each(['"Ann, of Lab" <ann@lab.test>', 'Änn <ann@lab.test>', 'ü@münchen.test'])('%s is one address', async (to) => {
  expect(await send({ ...letter, to: [to] })).toMatchObject({ refused: [] })
})

test('a connection is tried by greeting its server and signing in, without a letter', async () => {
  const before = letters.length
  const services = { mailer: createMailer({ url: null, from: 'capstan@lab.test', egress: createEgress({ allow: ['127.0.0.1/32'] }) }) }
  const settings = { host: '127.0.0.1', port, security: 'none', from: 'bot@lab.test' }
  const check = (more: JsonObject) =>
    mailPlugin.test?.({ services: services as Partial<Services> as Services, signal: AbortSignal.timeout(5000) }, { ...settings, ...more })
  expect(await check({})).toBe('The mail server answers.')
  expect(await check({ credentials: { username: 'ann', password: 'right' } })).toMatch(/takes the user name and password/)
  await expect(check({ credentials: { username: 'ann', password: 'wrong' } })).rejects.toThrow('does not take the user name and password')
  await expect(check({ port: 1 })).rejects.toThrow('The mail server cannot be reached')
  await expect(check({ host: '127.0.0.2' })).rejects.toThrow('may not be called')
  expect(letters).toHaveLength(before)
})
