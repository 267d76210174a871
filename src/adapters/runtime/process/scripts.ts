/**
 * The constant shell texts that run a piece of work. Nothing of a user ever becomes part of them: names, commands and paths arrive as arguments, the
 * environment as a file that only the innermost shell reads, after it has lost every privilege.
 *
 *   supervisor (server's user, own session, clean environment; started ahead, it waits for its work and ends when its server is gone)
 *   ├─ first part of its pipeline ─ launcher (bwrap, unshare, setpriv or setsid) ─ entry (pid 1 of the sandbox) ─ the work
 *   └─ cat     keeps the first bytes of the output, in whole blocks of 512, by a file size limit that only it has;
 *              when that is reached, wc takes the rest for ever, so that work never blocks on a full pipe, and counts it
 *
 * Files of the folder: `started` (pid, start time, boot id; made exclusively, so a second supervisor of one folder gives up), `out`, `dropped`, and
 * at the very end `exit`, renamed into place when the output is complete. On a full disk it waits for room: no end is lost for that.
 */

/**
 * Reads the work's folder from its input. The `launch` file there sets the arguments: environment, boot id, blocks of output, cgroup folder or "", how to
 * sweep (`none`, `user`, `group`), the mark or user id to sweep by, the size of the message or "", then the launcher. No program is started that a builtin can
 * do without: each costs more than all of this text.
 *
 * A message is the rest of its input. It is taken whole before the work begins, and held in memory only: a server that is killed in the middle of it has begun
 * nothing. Work with a message reads it on descriptor 4, and has its standard error kept in `err`, like the output.
 */
const superviseScript = `
read -r folder || exit 0
. "$folder/launch"
environment=$1 boot=$2 blocks=$3 cgroup=$4 sweep=$5 mark=$6 size=$7
shift 7
umask 077
if [ -n "$size" ]; then
  ulimit -c 0
  message=$(cat)
  [ "\${#message}" = "$size" ] || exit 75
fi
exec <"$environment" || exit 75
field() { shift 19; started=$1; }
read -r stat </proc/self/stat && field \${stat##*) }
set -C
echo "$$ $started $boot" >"$folder/started" || exit 75
set +C
trap '' HUP PIPE
keep() {
  exec 3>&-
  trap '' XFSZ
  ulimit -S -f "$blocks"
  cat >>"$folder/$1" 2>/dev/null || { ulimit -S -f "$(ulimit -H -f)"; exec wc -c >"$folder/$2"; }
}
work() {
  trap - HUP PIPE
  if [ -n "$cgroup" ]; then echo 0 >"$cgroup/cgroup.procs"; fi 2>/dev/null
  if [ -n "$size" ]; then
    printf %s "$message" 3>&- 5<&- | { exec 4<&0 <&5 5<&-; "$@"; }
  else
    "$@" 2>&1
  fi
  code=$?
  exec >/dev/null 2>&1 3>&- </dev/null
  case $sweep in
    user) setpriv --reuid "$mark" --regid "$mark" --clear-groups sh -c 'kill -KILL -1' ;;
    group)
      if read -r group <"$folder/group"; then kill -KILL -- "-$group"; fi
      while left=$(grep -lsF -- "CAPSTAN_WORK=$mark" /proc/[0-9]*/environ); [ -n "$left" ]; do
        for one in $left; do one=\${one#/proc/}; kill -KILL "\${one%/environ}"; done
      done ;;
  esac
  until echo $code >"$folder/exit.tmp"; do
    if [ ! -d "$folder" ]; then exit; fi
    sleep 1
  done
}
if [ -n "$size" ]; then
  { work "$@" 5<&0 2>&1 >&6 6>&- | keep err dropped-err 6>&-; } 6>&1 | keep out dropped
else
  work "$@" | keep out dropped
fi
exec 3>&-
read -r code <"$folder/exit.tmp"
# On a full disk a file can still be given another name.
echo "$code" >"$folder/exit" || exec mv -f "$folder/exit.tmp" "$folder/exit"
`

/**
 * The first process inside of the sandbox. Arguments: how (`first` = stay as pid 1 and reap, `group` = leave the process group's number in the folder,
 * `plain`), working directory, most processes or "", folder or "", then the command. Descriptor 0 is the environment, 3 hears that all is set up.
 */
const entryScript = `
how=$1 where=$2 processes=$3 folder=$4
shift 4
unset CAPSTAN_SUPERVISOR
umask 022
enter() {
  cd "$where" || exit 126
  unset PWD OLDPWD
  if [ "$how" = group ]; then echo "$$" >"$folder/group"; fi
  if [ -n "$processes" ]; then command ulimit -p "$processes" 2>/dev/null || command ulimit -u "$processes" 2>/dev/null; fi
  ulimit -c 0
  . /proc/self/fd/0
  trap '' PIPE
  echo ready >&3
  trap - PIPE
  exec "$@" </dev/null 3>&-
}
{ echo 600 >/proc/self/oom_score_adj; } 2>/dev/null
if [ "$how" = first ]; then
  ( enter "$@" )
  exit $?
fi
enter "$@"
`

/** Makes the sandbox's root inside fresh namespaces. Arguments: the table of mounts, then what to run. */
const mountScript = `
table=$1
shift
mount -n -a -T "$table" && exec "$@"
`

export { superviseScript, entryScript, mountScript }
