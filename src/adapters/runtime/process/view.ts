import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * What work sees: a root of its own, made of empty folders (kept in `<root>/.view`), on which the system's folders are mounted read-only and the work's
 * own are mounted at /code, /tmp and /home/task. /home, /root, /run and /tmp of the host are not in it at all: they hold keys and sockets of others.
 */
type View = {
  readonly root: string
  /** Top-level folders of the host that are shown, read-only. */
  readonly shown: readonly string[]
  /** Single files that are shown though their folder is not. */
  readonly files: readonly string[]
  readonly hide: readonly string[]
}

type Mask = { readonly path: string; readonly kind: 'folder' | 'file' }

const ours = ['proc', 'dev', 'tmp', 'run', 'home', 'root', 'code']
const leftOut = [...ours, 'sys', 'boot', 'lost+found']
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/** Makes the empty root. `hide` are paths whose content must not be seen, wherever they are mounted; `places` are further folders to mount things at. */
function createView(root: string, hide: readonly string[], places: readonly string[] = []): View {
  const path = join(root, '.view')
  const shown: string[] = []
  for (const name of ['', ...ours, 'sys/devices', 'home/task', 'dev/shm', ...places]) makeDirectory(join(path, name))
  for (const entry of readdirSync('/', { withFileTypes: true })) {
    const real = join('/', entry.name)
    if (leftOut.includes(entry.name)) continue
    if (entry.isSymbolicLink()) makeLink(readlinkSync(real), join(path, entry.name))
    if (!entry.isDirectory() || isEmpty(real)) continue
    makeDirectory(join(path, entry.name))
    shown.push(real)
  }
  if (existsSync('/sys/devices')) shown.push('/sys/devices')
  for (const name of devices) writeFileSync(join(path, 'dev', name), '')
  for (const [name, to] of [
    ['fd', ''],
    ['stdin', '/0'],
    ['stdout', '/1'],
    ['stderr', '/2'],
  ] as const)
    makeLink(`/proc/self/fd${to}`, join(path, 'dev', name))
  return { root: path, shown, files: nameServers(path), hide }
}

// Where systemd resolves names, /etc/resolv.conf points into /run.
function nameServers(view: string): string[] {
  try {
    const real = realpathSync('/etc/resolv.conf')
    if (!real.startsWith('/run/')) return []
    makeDirectory(dirname(join(view, real)))
    writeFileSync(join(view, real), '')
    return [real]
  } catch {
    return []
  }
}

type OwnFolders = {
  readonly code: string
  readonly home: string
  readonly tmp: string
  /** The code is shown and cannot be changed. */
  readonly codeReadOnly?: true
  /** The temporary folder is in memory and holds this much; null or absent: it is the folder `tmp`. Only `bubblewrap` can. */
  readonly tmpBytes?: number
  /** What else is mounted, at folders that the root has: its own (`places`) or the host's. */
  readonly more?: readonly Place[]
}

type Place = { readonly from: string; readonly to: string; readonly writable: boolean }

/** The table of mounts, in the form of fstab, that turns fresh namespaces into the view. `mountinfo` is the text of /proc/self/mountinfo. */
function mountTable(view: View, own: OwnFolders, mountinfo: string): string {
  const bind = (from: string, to: string) => mount(from, view.root + to, 'bind,nosuid,nodev')
  const show = (from: string, to: string) => mount(from, view.root + to, 'bind,ro,nosuid,nodev')
  const code = own.codeReadOnly ? show(own.code, '/code') : bind(own.code, '/code')
  const more = (own.more ?? []).map(({ from, to, writable }) => (writable ? bind(from, to) : show(from, to)))
  return systemTable(view, mountinfo) + code + bind(own.home, '/home/task') + bind(own.tmp, '/tmp') + more.join('')
}

// All but the work's own folders is the same for all work until the host mounts something, and costs more to find than to mount.
const systemTable = remembered((view, mountinfo) => {
  const mounts = parseMounts(mountinfo)
  const at = (path: string) => view.root + path
  const lines = [mount(view.root, view.root, 'bind,ro,nosuid')]
  for (const path of view.shown) lines.push(mount(path, at(path), `rbind,ro,nosuid${kept(mounts.find((one) => one.path === path))}`))
  // The flag `ro` reaches only the first of a tree of mounts, so each below gets a mount of its own on top.
  const below = mounts.filter((one) => view.shown.some((path) => one.path.startsWith(`${path}/`)))
  for (const one of below) lines.push(mount(one.path, at(one.path), `rbind,ro,nosuid${kept(one)}`))
  for (const path of view.files) lines.push(mount(path, at(path), 'bind,ro,nosuid,nodev'))
  for (const name of devices) if (existsSync(`/dev/${name}`)) lines.push(mount(`/dev/${name}`, at(`/dev/${name}`), 'bind,nosuid,noexec'))
  lines.push(mount('tmpfs', at('/dev/shm'), 'nosuid,nodev,mode=1777', 'tmpfs'), mount('proc', at('/proc'), 'nosuid,nodev,noexec', 'proc'))
  for (const mask of masks(view, mounts)) {
    lines.push(
      mask.kind === 'folder'
        ? mount('tmpfs', at(mask.path), 'ro,nosuid,nodev,noexec,mode=755,size=4k', 'tmpfs')
        : mount('/dev/null', at(mask.path), 'bind,ro,nosuid,noexec'),
    )
  }
  return lines.join('')
})

/** The same view as options of bubblewrap. */
function bubblewrapOptions(view: View, own: OwnFolders, mountinfo: string): string[] {
  return [
    ...['--ro-bind', view.root, '/'],
    ...view.shown.flatMap((path) => ['--ro-bind', path, path]),
    ...view.files.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...currentMasks(view, mountinfo).flatMap(({ path, kind }) =>
      kind === 'folder' ? ['--tmpfs', path, '--remount-ro', path] : ['--ro-bind', '/dev/null', path],
    ),
    ...[own.codeReadOnly ? '--ro-bind' : '--bind', own.code, '/code', '--bind', own.home, '/home/task'],
    ...(own.tmpBytes === undefined ? ['--bind', own.tmp, '/tmp'] : ['--perms', '1777', '--size', String(own.tmpBytes), '--tmpfs', '/tmp']),
    ...(own.more ?? []).flatMap(({ from, to, writable }) => [writable ? '--bind' : '--ro-bind', from, to]),
  ]
}

const currentMasks = remembered((view, mountinfo) => masks(view, parseMounts(mountinfo)))

type Mount = { readonly path: string; readonly device: string; readonly from: string; readonly options: string }

/**
 * Where the hidden paths can be seen: by their own name, and below every other mount of the same file system. A path inside of another one is left out.
 */
function masks(view: View, mounts: readonly Mount[]): Mask[] {
  const found = new Map<string, Mask>()
  for (const hidden of view.hide) {
    const real = realOf(hidden)
    if (real === null) continue
    for (const path of [real, ...aliases(real, mounts)]) {
      const status = statSync(path, { throwIfNoEntry: false })
      if (status && view.shown.some((top) => path === top || path.startsWith(`${top}/`)))
        found.set(path, { path, kind: status.isDirectory() ? 'folder' : 'file' })
    }
  }
  return [...found.values()].filter(({ path }) => ![...found.keys()].some((other) => path.startsWith(`${other}/`)))
}

function aliases(real: string, mounts: readonly Mount[]): string[] {
  const holder = mounts
    .filter((one) => inside(real, one.path))
    .reduce<Mount | null>((best, one) => (best && best.path.length > one.path.length ? best : one), null)
  if (!holder) return []
  const within = join(holder.from, real.slice(holder.path === '/' ? 0 : holder.path.length))
  return mounts
    .filter((one) => one.device === holder.device && one !== holder && inside(within, one.from))
    .map((one) => join(one.path, within.slice(one.from === '/' ? 0 : one.from.length)))
}

function parseMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' '))
    .map(([, , device = '', from = '', path = '', options = '']) => ({ device, from: plain(from), path: plain(path), options }))
    .sort((a, b) => a.path.length - b.path.length)
}

function remembered<T>(make: (view: View, mountinfo: string) => T): (view: View, mountinfo: string) => T {
  let last: { view: View; key: string; made: T } | null = null
  return (view, mountinfo) => {
    const key = mountinfo + view.hide.filter((path) => existsSync(path)).join('\n') // what is made later must be hidden as well
    if (last?.view !== view || last.key !== key) last = { view, key, made: make(view, mountinfo) }
    return last.made
  }
}

function inside(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

// A mount that came from a more privileged namespace keeps these flags: a mount on top that drops one is refused.
function kept(mount: Mount | undefined): string {
  return ['nodev', 'noexec']
    .filter((flag) => mount?.options.split(',').includes(flag))
    .map((flag) => `,${flag}`)
    .join('')
}

function mount(from: string, to: string, options: string, type = 'none'): string {
  return `${escaped(from)} ${escaped(to)} ${type} ${options} 0 0\n`
}

function escaped(path: string): string {
  return path.replace(/[\s\\#]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

function plain(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function realOf(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

// Every mount costs time at every start.
function isEmpty(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch {
    return true
  }
}

function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true })
  chmodSync(path, 0o755)
}

function makeLink(to: string, path: string): void {
  try {
    symlinkSync(to, path)
  } catch {}
}

function readMountinfo(): string {
  return readFileSync('/proc/self/mountinfo', 'utf8')
}

export type { View, Mask, OwnFolders, Place }
export { createView, mountTable, bubblewrapOptions, masks, parseMounts, readMountinfo }
