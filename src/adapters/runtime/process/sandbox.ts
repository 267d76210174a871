import type { Folder } from './folder.ts'
import { entryScript, mountScript } from './scripts.ts'
import { bubblewrapOptions, mountTable, readMountinfo } from './view.ts'
import type { OwnFolders, View } from './view.ts'
import { writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'

/**
 * How work is kept apart.
 * `bubblewrap`, `namespaces`: sees a root of its own, is alone in its process table, and ends whole with its first process.
 * `user`: only a user id of its own; what is closed to other users is closed to it. For root without the right to make namespaces.
 * `none`: runs as the server does.
 */
type Mechanism = 'bubblewrap' | 'namespaces' | 'user' | 'none'

type Sandbox = {
  readonly mechanism: Mechanism
  readonly isolated: boolean
  /** Each piece of work gets a user id of its own. */
  readonly ownUser: boolean
  /** Where work finds its folders. */
  paths(folder: Folder): { readonly code: string; readonly home: string; readonly tmp: string }
  /** It can be given no network at all. */
  readonly cutsNetwork: boolean
  /** The command line that runs `command` inside. */
  launch(folder: Folder & OwnFolders, what: Launched): string[]
}

type Launched = {
  readonly command: readonly string[]
  readonly uid: number | null
  readonly processes: number
  /** Its own loopback and nothing else, where the mechanism can; absent: that of the host. */
  readonly network?: 'none'
}

const shell = ['/bin/sh', '-c']
const viewPaths = { code: '/code', home: '/home/task', tmp: '/tmp' }

/** The sandbox of a mechanism for a server that is root or is not. */
function createSandbox(mechanism: Mechanism, view: View, options: { readonly root: boolean }): Sandbox {
  const cutsNetwork = mechanism === 'bubblewrap'
  switch (mechanism) {
    case 'bubblewrap':
      return {
        ...{ mechanism, cutsNetwork, isolated: true, ownUser: options.root, paths: () => viewPaths },
        launch: (folder, what) => bubblewrap(view, folder, what),
      }
    case 'namespaces':
      return {
        ...{ mechanism, cutsNetwork, isolated: true, ownUser: options.root, paths: () => viewPaths },
        launch: (folder, what) => namespaces(view, folder, what),
      }
    case 'user':
      return {
        mechanism,
        cutsNetwork,
        isolated: true,
        ownUser: true,
        paths: (folder) => folder,
        launch: (folder, what) => [...drop(what.uid), ...entry('plain', folder.code, what.processes, '', what.command)],
      }
    case 'none':
      // A limit of processes counts all that the server's user runs, so here it would hit the wrong ones.
      return {
        mechanism,
        cutsNetwork,
        isolated: false,
        ownUser: false,
        paths: (folder) => folder,
        launch: (folder, what) => ['setsid', ...entry('group', folder.code, null, folder.path, what.command)],
      }
  }
}

function bubblewrap(view: View, folder: Folder & OwnFolders, what: Launched): string[] {
  const user = what.uid === null ? ['--unshare-user', '--uid', '1000', '--gid', '1000'] : ['--cap-add', 'ALL']
  return [
    ...['bwrap', '--unshare-pid', '--unshare-ipc', '--die-with-parent', '--as-pid-1', ...user, ...(what.network ? ['--unshare-net'] : [])],
    ...bubblewrapOptions(view, folder, readMountinfo()),
    ...['--', ...(what.uid === null ? [] : drop(what.uid)), ...entry('first', '/code', countable(what), '', what.command)],
  ]
}

function namespaces(view: View, folder: Folder & OwnFolders, what: Launched): string[] {
  const table = join(folder.path, 'mounts')
  writeFileSync(table, mountTable(view, folder, readMountinfo()), { mode: 0o600 })
  const inner = entry('first', '/code', countable(what), '', what.command)
  const outside = ['unshare', ...(what.uid === null ? ['--user', '--map-root-user'] : []), '--mount', '--pid', '--ipc', '--fork', '--kill-child']
  // Root gives up its rights, which locks the mounts. Without root, the rights over the first user namespace made them: only a second one inside locks them.
  const locked =
    what.uid === null
      ? ['unshare', '--user', '--map-user=1000', '--map-group=1000', `--root=${view.root}`, '--wd=/', 'setpriv', '--no-new-privs']
      : ['chroot', view.root, ...drop(what.uid)]
  return [...outside, '--', ...shell, mountScript, 'mount', table, ...locked, ...inner]
}

function drop(uid: number | null): string[] {
  const id = String(uid)
  return ['setpriv', '--reuid', id, '--regid', id, '--clear-groups', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all']
}

function entry(how: 'first' | 'plain' | 'group', where: string, processes: number | null, folder: string, command: readonly string[]): string[] {
  return [...shell, entryScript, 'work', how, where, processes === null ? '' : String(processes + 2), folder, ...command]
}

// Before Linux 5.14 processes were counted per user over all namespaces: without an id of its own, work would be counted with the server.
function countable(what: Launched): number | null {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  return what.uid !== null || major > 5 || (major === 5 && minor >= 14) ? what.processes : null
}

export type { Mechanism, Sandbox }
export { createSandbox }
