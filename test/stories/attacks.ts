/** What a hostile task tries. `DATA` is the data folder, `SERVER` the server's process, `VICTIM` the run of another team's task. */
export const attacks: Readonly<Record<string, string>> = {
  keys: 'for root in "" /proc/1/root /proc/self/root "/proc/$SERVER/root" "/proc/$SERVER/cwd"; do cat "$root$DATA/keys/master.key" "$root$DATA/keys/token.key"; ls -la "$root$DATA" "$root$DATA/keys"; done',
  store: 'cat "$DATA/capstan.db" "$DATA/capstan.db-wal" | head -c 100000; find / -xdev -name "capstan.db*" 2>/dev/null',
  neighbour:
    'ls "$DATA/work"; cat "$DATA/work/$VICTIM"*/* ; find / -xdev -path "*$VICTIM*" 2>/dev/null | grep -v "^/proc"; cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"; cat /proc/[0-9]*/cmdline | tr "\\0" " "',
  environment: 'cat "/proc/$SERVER/environ" "/proc/$PPID/environ" /proc/1/environ 2>/dev/null | tr "\\0" "\\n"; env; set',
  signals:
    'for pid in "$SERVER" "$PPID" 1; do kill -0 "$pid" && echo "reached $pid"; done; kill -STOP "$SERVER"; kill -KILL "$SERVER"; kill -KILL -1; true',
  unmask:
    'umount -l "$DATA"; unshare -Urm sh -c \'umount -R -l "$DATA"; cat "$DATA/keys/master.key"\'; nsenter -t 1 -m cat "$DATA/keys/master.key"; nsenter -t "$SERVER" -m cat "$DATA/keys/master.key"; true',
  links: 'cat /code/key /code/data/keys/master.key /code/up/keys/master.key; ls -R /code; cat /code/proc/1/environ /code/environ; true',
  sockets:
    'find /run /tmp /var -type s 2>/dev/null; ls -la /root /home /tmp; cat /root/.ssh/* /home/*/.ssh/* /root/.git-credentials 2>/dev/null; true',
}

/** Links of the repository that lead out of it. */
export function hostileLinks(data: string): Record<string, { link: string }> {
  return {
    'attack/code/key': { link: `${data}/keys/master.key` },
    'attack/code/data': { link: data },
    'attack/code/up': { link: `../../../../../../../../../..${data}` },
    'attack/code/proc': { link: '/proc' },
    'attack/code/environ': { link: '/proc/self/environ' },
  }
}
