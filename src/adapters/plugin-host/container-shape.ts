import type { Limits } from './ground.ts'

type Shape = {
  readonly image: string
  readonly verb: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly limits: Limits
  readonly labels: Readonly<Record<string, string>>
  /** The label that says which server holds it. */
  readonly server: Readonly<Record<string, string>>
  /** What is at /var/cache; null: nothing that stays. */
  readonly volume: string | null
}

/** What an engine is told to create for one call of a plugin: no rights, no network, nothing of the host, and limits. */
function describe({ image, verb, environment, limits, labels, server, volume }: Shape) {
  const { memoryBytes, processes, fileBytes, cpu } = limits
  const own = { HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1', ...environment }
  const cache = { Type: 'volume', Source: volume, Target: '/var/cache', VolumeOptions: { Labels: labels } }
  return {
    ...{ Image: image, Cmd: verb, Env: Object.entries(own).map(([name, value]) => `${name}=${value}`) },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true, Tty: false },
    Labels: { ...labels, ...server },
    HostConfig: {
      ...{ Memory: memoryBytes, MemorySwap: memoryBytes, NanoCpus: Math.round(cpu * 1e9), PidsLimit: processes },
      Ulimits: [
        { Name: 'fsize', Soft: fileBytes, Hard: fileBytes },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      ...{ ReadonlyRootfs: true, Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${fileBytes}` } },
      ...{ CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges:true'], NetworkMode: 'none', IpcMode: 'private' },
      // A first process of its own ends what is left and passes signals on. What a plugin says is read and never kept by the engine: it may hold secrets.
      ...{ Init: true, LogConfig: { Type: 'none' } },
      Mounts: volume === null ? [] : [cache],
    },
  }
}

export { describe }
