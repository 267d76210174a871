import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'

type Certificates = { readonly ca: string; readonly cert: string; readonly key: string }

/** An engine as it listens on another machine: TLS on loopback in front of its socket, for clients that show a certificate of its authority. */
export type TlsEngine = {
  readonly port: number
  readonly certificates: Certificates
  /** Those of another authority. */
  readonly others: Certificates
  close(): void
}

export async function startTlsEngine(socket: string): Promise<TlsEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-tls-'))
  try {
    const [own, others] = [authority(folder, 'own'), authority(folder, 'others')]
    const server = own('server', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
    const listening = createServer({ ...server, requestCert: true, rejectUnauthorized: true, allowHalfOpen: true }, (client) => {
      const engine = connect({ path: socket, allowHalfOpen: true })
      const end = () => {
        client.destroy()
        engine.destroy()
      }
      // Who has no more to say still listens.
      client.on('error', end)
      engine.on('error', end).on('close', end)
      client.pipe(engine).pipe(client)
    })
    listening.on('tlsClientError', () => {})
    // All addresses of loopback lead here: the name in the certificate is what tells them apart.
    await new Promise<void>((resolve) => listening.listen(0, '0.0.0.0', resolve))
    const address = listening.address()
    if (address === null || typeof address === 'string') throw new Error('The engine has no port')
    return { port: address.port, certificates: own('client'), others: others('client'), close: () => void listening.close() }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function authority(folder: string, name: string): (who: string, extension?: string) => Certificates {
  const at = (file: string) => join(folder, `${name}-${file}`)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', `/CN=${name}`)
  return (who, extension) => {
    openssl('req', ...key, '-keyout', at(`${who}.key`), '-out', at(`${who}.csr`), '-subj', `/CN=${who}`)
    writeFileSync(at('extensions'), extension ?? '')
    const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('extensions')]
    openssl('x509', '-req', '-in', at(`${who}.csr`), '-out', at(`${who}.pem`), ...signed)
    const read = (file: string) => readFileSync(at(file), 'utf8')
    return { ca: read('ca.pem'), cert: read(`${who}.pem`), key: read(`${who}.key`) }
  }
}
