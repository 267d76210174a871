import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'

/** A registry of images on loopback that has one image under every name. */
export type ImageRegistry = { readonly host: string /** How often a description of an image was asked for. */; asked(): number; close(): void }

/** `login`: it answers nobody else. */
export async function startImageRegistry(tar: Buffer, login?: { user: string; password: string }): Promise<ImageRegistry> {
  const layer = blob(gzipSync(tar))
  const config = blob(
    Buffer.from(
      JSON.stringify({
        ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux', config: { Entrypoint: ['/bin/entry'], Env: ['PATH=/bin'] } },
        ...{ rootfs: { type: 'layers', diff_ids: [blob(tar).digest] }, history: [{ created: '2026-01-01T00:00:00Z' }] },
      }),
    ),
  )
  const kind = 'application/vnd.docker.distribution.manifest.v2+json'
  const part = (mediaType: string, { digest, bytes }: ReturnType<typeof blob>) => ({ mediaType, digest, size: bytes.length })
  const manifest = blob(
    Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: kind, config: part('application/vnd.docker.container.image.v1+json', config) },
        layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
      }),
    ),
  )
  let asked = 0
  const wanted = login && `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`
  const server = createServer((request, response) => {
    if (wanted && request.headers.authorization !== wanted)
      return void response
        .writeHead(401, { 'www-authenticate': 'Basic realm="images"' })
        .end('{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}')
    const [, what, reference = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? []
    const found = what === 'manifests' ? manifest : [layer, config].find(({ digest }) => digest === reference)
    if (what === 'manifests') asked += 1
    if (request.url === '/v2/') return void response.end('{}')
    if (!found || reference === 'missing') return void response.writeHead(404).end('{}')
    const type = what === 'manifests' ? kind : 'application/octet-stream'
    response.writeHead(200, { 'content-type': type, 'content-length': found.bytes.length, 'docker-content-digest': found.digest })
    response.end(request.method === 'HEAD' ? undefined : found.bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The registry has no port')
  return {
    host: `127.0.0.1:${address.port}`,
    asked: () => asked,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function blob(bytes: Buffer): { readonly bytes: Buffer; readonly digest: string } {
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` }
}
