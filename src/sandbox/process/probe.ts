import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SandboxProbe, SandboxSpec } from '../backend.js';
import { endSandbox } from './end-sandbox.js';
import { readRunState } from './run-state.js';
import type { SandboxRuntime } from './runtime.js';
import { layOut } from './sandbox-folder.js';
import { startSupervisor } from './supervisor.js';

const PROBE_MS = 15_000;
const PROCESSES = 64;
const MARK = 'nl2code-probe:';

const PROFILE =
  'abi <abi/4.0>,\ninclude <tunables/global>\nprofile bwrap /usr/bin/bwrap flags=(unconfined) {\n  userns,\n}';

/** Runs inside with the flags of every sandbox and prints what it finds. Each answer must be the expected one. */
const SCRIPT = `
import json, os, resource, socket
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
def refused(act):
    try:
        act()
    except OSError:
        return True
    return False
def reach(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.connect(address)
found = {
    'runs as an unprivileged user': os.getuid() == 1000,
    'holds no capability': all(int(status[k], 16) == 0 for k in ('CapEff', 'CapPrm', 'CapBnd', 'CapAmb')),
    'can gain no privilege': status['NoNewPrivs'].strip() == '1',
    'filters system calls': status['Seccomp'].strip() == '2',
    'has no network': [line.split(':')[0].strip() for line in open('/proc/net/dev') if ':' in line] == ['lo'] and refused(lambda: reach(socket.AF_INET, ('192.0.2.1', 53))),
    'sees no file of the host': not os.path.exists(__CANARY__) and not os.path.exists('/etc/shadow') and not os.path.exists('/root'),
    'sees no other process': all(int(p) <= os.getpid() + 1 for p in os.listdir('/proc') if p.isdigit()),
    'cannot write to the system': refused(lambda: open('/usr/nl2code', 'w')) and refused(lambda: open('/proc/sys/kernel/core_pattern', 'w')),
    'limits processes': resource.getrlimit(resource.RLIMIT_NPROC)[1] == ${PROCESSES},
}
print(__MARK__ + json.dumps(found))
`;

/** Starts a real sandbox and looks from inside and outside whether isolation holds. Never throws. */
export async function probeIsolation(runtime: SandboxRuntime): Promise<SandboxProbe> {
  const missing = missingPart(runtime);
  if (missing) return unavailable(missing);
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'nl2code-probe-'));
  try {
    layOut(folder);
    const canary = join(folder, 'run', 'canary');
    writeFileSync(canary, 'a file of the host');
    const script = SCRIPT.replace('__CANARY__', JSON.stringify(canary)).replace('__MARK__', JSON.stringify(MARK));
    const { started, process } = await startSupervisor(runtime, {
      spec: probeSpec(folder),
      session: 'probe',
      hashSeed: 0,
      command: ['/py/bin/python3', '-I', '-c', script],
    });
    if (!started.ok) return unavailable(explain(started.message));
    await ended(process);
    return judge(folder, started.memoryLimit);
  } catch (error) {
    return unavailable(explain((error as Error).message));
  } finally {
    await endSandbox(folder).catch(() => undefined);
    rmSync(folder, { recursive: true, force: true });
  }
}

function judge(folder: string, memoryLimit: SandboxProbe['memoryLimit']): SandboxProbe {
  const state = readRunState(folder);
  let said = '';
  try {
    said = readFileSync(join(folder, 'run', 'guest.log'), 'utf8');
  } catch {
    // nothing was printed
  }
  const line = said.split('\n').find((text) => text.startsWith(MARK));
  if (!line) return unavailable(explain(state?.endedBecause ?? 'the sandbox said nothing'));
  const broken = Object.entries(JSON.parse(line.slice(MARK.length)) as Record<string, boolean>).filter(
    ([, holds]) => holds !== true,
  );
  if (state?.uid === 0) broken.push(['is not root outside', false]);
  if (broken.length > 0)
    return unavailable(
      `A sandbox that bubblewrap started here does not hold: it should be one that ${broken.map(([what]) => what).join(', ')}.`,
    );
  const limit =
    memoryLimit === 'cgroup'
      ? 'a memory control group'
      : 'a watcher of resident memory (no control group can be made here)';
  return {
    available: true,
    isolation: 'bubblewrap',
    memoryLimit,
    detail: `bubblewrap works: no network, no file of the host, an unprivileged user; memory is limited by ${limit}.`,
  };
}

function probeSpec(folder: string): SandboxSpec {
  return {
    id: 'probe',
    folder,
    inputs: [],
    mounts: [],
    pythonPath: [],
    isolation: 'bubblewrap',
    limits: { memoryBytes: 256 << 20, diskBytes: 64 << 20, processes: PROCESSES, cpus: 1 },
    hashSeed: 0,
    leaseMs: PROBE_MS,
    durability: 'process',
    warm: 'bare',
  };
}

function missingPart(runtime: SandboxRuntime): string | null {
  if (process.platform !== 'linux')
    return 'Isolation needs bubblewrap, which exists for Linux only: use Linux, or ask for isolation none by name.';
  if (!runtime.bwrap)
    return 'bubblewrap is not installed: install the package bubblewrap (apt-get install bubblewrap, dnf install bubblewrap, apk add bubblewrap).';
  if (!runtime.seccomp) return `There is no system-call filter for ${process.arch}: use x64 or arm64.`;
  return null;
}

/** Turns what bubblewrap said into what to do about it. */
function explain(said: string): string {
  const text = said.replace(/\s+/g, ' ').slice(0, 400);
  if (!/permission denied|operation not permitted|no permissions|namespace/i.test(text))
    return `The sandbox did not start: ${text}`;
  if (setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return `AppArmor refuses user namespaces to bubblewrap: write this to /etc/apparmor.d/bwrap and run systemctl reload apparmor:\n${PROFILE}\n(bubblewrap said: ${text})`;
  }
  if (setting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    return `User namespaces are switched off: run sysctl -w kernel.unprivileged_userns_clone=1. (bubblewrap said: ${text})`;
  }
  return `bubblewrap may not make namespaces here; in a container start it with --security-opt seccomp=unconfined --security-opt systempaths=unconfined. (bubblewrap said: ${text})`;
}

function setting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

const unavailable = (detail: string): SandboxProbe => ({
  available: false,
  isolation: 'bubblewrap',
  memoryLimit: 'none',
  detail,
});

function ended(child: { exitCode: number | null; once(event: 'exit', then: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, PROBE_MS);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    if (child.exitCode !== null) done();
    else child.once('exit', done);
  });
}
