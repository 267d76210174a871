import { spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mechanismsHere, secretText } from './process-lab.suite.ts'
import type { Mechanism } from './sandbox.ts'
import type { Attack, Attacked } from './server-lab.suite.ts'

// The story: somebody who may deploy writes a task that looks around. It knows where everything is: the server's pid, the data folder, the folder and pid of
// another team's task. It must get nothing of it, with every mechanism that this machine offers, whether the server is root or not.

const victimSecret = 'victim-77ab'
const attacks = {
  data: 'cat "$DATA/secret"; ls -la "$DATA"; ls "$DATA/work"; cat "/proc/1/root$DATA/secret" "/proc/self/root$DATA/secret" "/proc/$SERVER/root$DATA/secret"; cd "$DATA" && cat secret',
  walk: 'find /var /srv /opt /run /home /tmp /mnt -name secret -type f -exec cat {} + 2>/dev/null; for fd in /proc/*/fd/*; do timeout 0.1 head -c 200 "$fd" </dev/null; done 2>/dev/null | head -c 20000; true',
  folder: 'cat "$VICTIM/task/code/private" "$VICTIM/out" "$VICTIM/work.json"; ls "$VICTIM"; echo gone >"$VICTIM/task/code/private"; rm -rf "$VICTIM"',
  environment: "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep VICTIM_SECRET; cat \"/proc/$VICTIM_PID/environ\"",
  signal:
    'for pid in $SERVER $VICTIM_PID; do if kill -0 $pid; then echo "breach: $pid can be signalled"; fi; kill -KILL $pid; done; kill -KILL -$VICTIM_PID; kill -KILL -1; true',
  masks:
    'umount -l "$DATA"; cat "$DATA/secret"; unshare -Urm sh -c \'umount -l "$DATA"; umount -R -l "$DATA"; cat "$DATA/secret"\'; unshare -Urmpf sh -c \'mount -t tmpfs none /mnt; umount -l "$DATA"; cat "$DATA/secret"\'; nsenter -t 1 -m cat "$DATA/secret"; nsenter -t $SERVER -m cat "$DATA/secret"',
  rights:
    'grep -E "^(Uid|CapEff|CapPrm|NoNewPrivs)" /proc/self/status; id -u; su -c id root </dev/null; sudo -n id; chroot / id; mount -t tmpfs none /mnt && echo "breach: mounted"',
  write:
    'for path in / /usr /etc /usr/bin /var; do if echo x >"$path/capstan-was-here"; then echo "breach: $path"; rm "$path/capstan-was-here"; fi; done; echo 1 >/proc/sys/kernel/sysrq && echo "breach: sysctl"; true',
  devices:
    'for device in /dev/vda /dev/sda /dev/nvme0n1 /dev/mem /dev/kmsg; do if head -c 1 "$device" >/dev/null 2>&1; then echo "breach: $device"; fi; done; mknod sda b 8 0 && echo "breach: mknod"; true',
  bomb: 'n=0; while [ $n -lt 400 ]; do sleep 20 & n=$((n+1)); echo "forked $n"; done',
  left: 'setsid sh -c "sleep 600" >/dev/null 2>&1 & setsid setsid env -i sleep 601 & echo left',
} as const

type Outputs = Record<keyof typeof attacks, string>

const list: Attack[] = Object.entries(attacks).map(([title, script]) => (title === 'bomb' ? { title, script, processes: 60 } : { title, script }))

const servers =
  process.getuid?.() === 0
    ? ([
        { who: 'root', uid: 0 },
        { who: 'an ordinary user', uid: 41_234 },
      ] as const)
    : ([{ who: 'an ordinary user', uid: process.getuid?.() ?? 0 }] as const)
const mechanisms = (await mechanismsHere()).filter((mechanism) => mechanism !== 'none')

for (const { who, uid } of servers) {
  for (const mechanism of mechanisms) {
    // An ordinary user cannot give work a user id of its own.
    if (mechanism === 'user' && uid !== 0) continue
    describe(`a hostile task, kept apart by ${mechanism}, on a server run by ${who}`, () => {
      // Not below /tmp, which work has one of its own instead of: here only the masks hide it.
      const home = mkdtempSync('/var/tmp/capstan-attacked-')
      let attacked: Attacked
      let outputs: Outputs
      beforeAll(async () => {
        chownSync(home, uid, uid)
        chmodSync(home, 0o711)
        attacked = await serve(home, mechanism, uid)
        outputs = attacked.outputs as Outputs // each attack has its output
      })
      afterAll(() => rmSync(home, { recursive: true, force: true }))

      test('meets the mechanism that it is meant for', () => expect(attacked).toMatchObject({ mechanism, alive: true }))

      test('reads nothing of the data folder, by no path', () => {
        expect(outputs.data + outputs.walk).not.toContain(secretText)
        expect(outputs.data).not.toMatch(/^secret$/m)
      })
      test('reads and changes nothing of another task', () => {
        expect(outputs.folder + outputs.environment + outputs.walk).not.toContain(victimSecret)
        expect(outputs.environment).not.toContain('VICTIM_SECRET=')
      })
      test('signals neither the server nor another task', () => expect(outputs.signal).not.toContain('breach'))
      test('takes no mask away, in namespaces of its own neither', () => expect(outputs.masks).not.toContain(secretText))
      test('has no rights and can get none', () => {
        expect(outputs.rights).toMatch(/^CapEff:\t0+$/m)
        expect(outputs.rights).toMatch(/^CapPrm:\t0+$/m)
        expect(outputs.rights).toMatch(/^NoNewPrivs:\t1$/m)
        expect(outputs.rights).not.toMatch(/^0$|uid=0|breach/m)
      })
      test('writes nothing outside of its own folders, and reaches no device', () => expect(outputs.write + outputs.devices).not.toContain('breach'))
      test('cannot fork without end', () => {
        expect(outputs.bomb).toContain('forked 10\n')
        expect(outputs.bomb).not.toContain('forked 100\n')
      })
      test('leaves no process behind', async () => {
        const { stdout } = await capture('ps', ['-eo', 'uid,args'], {})
        expect(stdout).not.toMatch(/sleep 60[01]\b/)
      })
    })
  }
}

async function serve(home: string, mechanism: Mechanism, uid: number): Promise<Attacked> {
  const file = fileURLToPath(new URL('./server-lab.suite.ts', import.meta.url))
  const { stdout, stderr } = await capture(process.execPath, [file, 'attack', home, mechanism, JSON.stringify(list)], { uid, gid: uid })
  if (!stdout.endsWith('\n')) throw new Error(`the server ended: ${stderr}`)
  return JSON.parse(stdout) as Attacked // written by server-lab
}

function capture(program: string, args: readonly string[], options: { uid?: number; gid?: number }): Promise<{ stdout: string; stderr: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ stdout: string; stderr: string }>()
  const child = spawn(program, args, { ...options, cwd: join('/'), stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  child.once('error', reject)
  child.once('close', () => resolve(said))
  return promise
}
