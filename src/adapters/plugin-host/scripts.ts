/**
 * The constant shell text that begins a plugin inside of its sandbox. Nothing of a user ever becomes part of it: all arrives as arguments.
 *
 * Arguments: how (`message` = standard input is what comes on descriptor 4, `serve` = it is empty), working directory, most memory in KiB or "", largest
 * file in blocks of 512, most seconds of CPU or "", program and script of the relay (both "" where the network is not cut), its doors, then the command.
 * The relay is made the child of the sandbox's first process, so that the plugin has no child that it did not make.
 */
const beginScript = `
how=$1 where=$2 memory=$3 file=$4 seconds=$5 node=$6 relay=$7 doors=$8
shift 8
cd "$where" || exit 126
if [ -n "$node" ]; then
  ready=$( exec 4<&-; "$node" --max-semi-space-size=1 --max-old-space-size=32 "$relay" $doors </dev/null 2>/dev/null & )
  if [ "$ready" != ready ]; then echo 'the door to the network could not be made' >&2; exit 69; fi
fi
ulimit -f "$file"
if [ -n "$memory" ]; then ulimit -v "$memory"; fi
if [ -n "$seconds" ]; then ulimit -t "$seconds"; fi
unset PWD OLDPWD
if [ "$how" = message ]; then
  # The polite signal is for the plugin: were this shell to end for it, the sandbox would, and the plugin with it.
  trap : TERM
  # A pipe of its own: what comes from the server is a socket, and plugins that open /dev/stdin cannot open one.
  cat <&4 | { exec 4<&-; exec "$@"; }
  exit $?
fi
exec "$@" 4<&-
`

/** Puts the process into its cgroup before it becomes the launcher. Arguments: the cgroup, then the launcher. */
const cgroupScript = `
echo 0 >"$1/cgroup.procs"
shift
exec "$@"
`

export { beginScript, cgroupScript }
