import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listWorkspace, readArtifact } from '../../src/sandbox/artifact.js';
import { inNamespace, pidNamespace, processes, Rig, type Sandboxed } from './rig.js';

/** Every test shows both sides: what the cell could not do, and that it can be done from outside. */
describe('hostile code in a sandbox', () => {
  const CANARY = `canary-${process.pid}-${'x'.repeat(12)}`;
  const MEMORY = 400 << 20;
  let rig: Rig;
  let box: Sandboxed;
  let neighbour: Sandboxed;
  let before: number;

  beforeAll(async () => {
    process.env.NL2CODE_TEST_CANARY = CANARY;
    rig = new Rig();
    box = rig.sandbox({
      isolation: 'bubblewrap',
      limits: { memoryBytes: MEMORY, diskBytes: 64 << 20, processes: 64, cpus: 1 },
    });
    neighbour = rig.sandbox({ isolation: 'bubblewrap' });
    await neighbour.value('mine = "untouched"; 0');
    await box.value('import os, socket, sys, time, errno; 0');
    before = process.memoryUsage().rss;
  });
  afterAll(async () => {
    delete process.env.NL2CODE_TEST_CANARY;
    await rig.close();
  });
  afterEach(async () => {
    expect(await box.value('1 + 1')).toBe('2');
    expect(await neighbour.value('mine')).toBe("'untouched'");
    expect(process.memoryUsage().rss - before).toBeLessThan(400 << 20);
  });

  /** What a piece of code ends with inside: its value, or the name of the error. */
  const attempt = async (code: string): Promise<string> => {
    const { reply } = await box.run(
      `import os, socket, sys, time, errno\ndef attempt():\n${code.replace(/^/gm, '    ')}\ntry:\n    found = str(attempt())\nexcept BaseException as e:\n    found = f"{type(e).__name__} {errno.errorcode.get(getattr(e, 'errno', None), '')}"\nprint(found)`,
    );
    expect(reply.error, reply.error?.message).toBeNull();
    return reply.stdout.text.trim();
  };

  it('sees nothing of the environment of the worker', async () => {
    expect(process.env.NL2CODE_TEST_CANARY).toBe(CANARY);
    const found = await attempt(
      'text = repr(dict(os.environ))\nfor p in os.listdir("/proc"):\n    for name in ("environ", "cmdline"):\n        try: text += open(f"/proc/{p}/{name}").read()\n        except OSError: pass\nreturn [w for w in ("canary", "NODE", "vitest", "OPENAI") if w in text]',
    );
    expect(found).toBe('[]');
  });

  it('sees no file of the host but what it was given', async () => {
    const canary = join(box.spec.folder, 'run', 'canary');
    writeFileSync(canary, CANARY);
    writeFileSync(join(rig.root, 'beside'), CANARY);
    expect(readFileSync(canary, 'utf8')).toBe(CANARY);
    for (const path of [
      canary,
      join(rig.root, 'beside'),
      '/etc/shadow',
      '/etc/hostname',
      '/root',
      '/home',
      '/var',
      '/proc/1/root/etc/shadow',
      '/sys/kernel',
      '/run',
    ]) {
      expect(await attempt(`return open(${JSON.stringify(path)}).read()`), path).toMatch(
        /FileNotFoundError|PermissionError|NotADirectoryError|IsADirectoryError/,
      );
    }
    expect(await attempt('return sorted(os.listdir("/"))')).toBe(
      "['bin', 'checkpoint', 'dev', 'etc', 'guest', 'inputs', 'lib', 'lib64', 'proc', 'py', 'scratch', 'tmp', 'usr', 'workspace']".replace(
        "'lib64'",
        existsSync('/lib64') ? "'lib64'" : '',
      ),
    );
    expect(await attempt('return sorted(os.listdir("/etc"))')).toBe("['group', 'ld.so.cache', 'passwd']");
  });

  it('can write to nothing but its own folders and memory', async () => {
    const found = await attempt(`
import errno
open_for_writing = []
for top in ("/usr/bin", "/py", "/guest", "/inputs", "/etc", "/proc/sys", "/dev", "/"):
    for here, folders, files in os.walk(top):
        if top == "/": folders[:] = []
        for name in files[:50]:
            path = os.path.join(here, name)
            if os.path.islink(path) or path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/console") or path.startswith(("/dev/pts/", "/dev/shm/")): continue
            try: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)); open_for_writing.append(path)
            except OSError: pass
    try: os.mkdir(os.path.join(top, "made")); open_for_writing.append(top)
    except OSError: pass
return open_for_writing`);
    expect(found).toBe('[]');
  });

  it('reaches nobody: not over TCP, UDP, DNS, unix sockets or raw sockets', async () => {
    const servers: Server[] = [];
    const listen = async (where: string | number) => {
      const server = createServer((socket) => socket.end('reached'));
      servers.push(server);
      await new Promise<void>((resolve) =>
        typeof where === 'number' ? server.listen(where, '127.0.0.1', resolve) : server.listen(where, resolve),
      );
      return server;
    };
    const tcp = ((await listen(0)).address() as AddressInfo).port;
    const path = join(rig.root, 'host.sock');
    const abstract = `nl2code-test-${process.pid}`;
    await listen(path);
    await listen(`\0${abstract}`);
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
    let datagrams = 0;
    udp.on('message', () => datagrams++);
    const reached = (to: { port: number; host: string } | { path: string }) =>
      new Promise<string>((resolve, reject) =>
        connect(to)
          .on('data', (data) => resolve(String(data)))
          .on('error', reject),
      );
    expect(await reached({ port: tcp, host: '127.0.0.1' })).toBe('reached');
    expect(await reached({ path: `\0${abstract}` })).toBe('reached');

    expect(await attempt(`return socket.create_connection(("127.0.0.1", ${tcp}), 2).recv(10)`)).toMatch(
      /ConnectionRefusedError/,
    );
    expect(await attempt('return socket.create_connection(("192.0.2.1", 80), 2)')).toMatch(/ENETUNREACH/);
    expect(await attempt('return socket.create_connection(("2001:db8::1", 80), 2)')).toMatch(
      /ENETUNREACH|EADDRNOTAVAIL/,
    );
    expect(await attempt('return socket.getaddrinfo("example.com", 80)')).toMatch(/gaierror/);
    await attempt(
      `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nreturn s.sendto(b"x", ("127.0.0.1", ${(udp.address() as AddressInfo).port}))`,
    );
    expect(await attempt(`s = socket.socket(socket.AF_UNIX)\nreturn s.connect("\\0${abstract}")`)).toMatch(
      /ConnectionRefusedError|EPERM/,
    );
    expect(await attempt(`s = socket.socket(socket.AF_UNIX)\nreturn s.connect(${JSON.stringify(path)})`)).toMatch(
      /FileNotFoundError/,
    );
    for (const family of [
      'AF_PACKET, socket.SOCK_RAW',
      'AF_NETLINK, socket.SOCK_RAW',
      'AF_VSOCK, socket.SOCK_STREAM',
    ]) {
      expect(await attempt(`return socket.socket(socket.${family})`), family).toMatch(/EAFNOSUPPORT|EPERM/);
    }
    expect(await attempt('return socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)')).toMatch(
      /EPERM|EACCES|PermissionError/,
    );
    expect(datagrams).toBe(0);
    udp.close();
    for (const server of servers) server.close();
  });

  it('can not look into, stop or kill the process that watches it', async () => {
    for (const name of ['environ', 'mem', 'maps', 'fd', 'root', 'cwd', 'exe']) {
      expect(
        await attempt(`p = "/proc/1/${name}"\nreturn os.listdir(p) if os.path.isdir(p) else open(p, "rb").read(10)`),
        name,
      ).toMatch(/PermissionError|FileNotFoundError|b''/);
    }
    expect(
      await attempt(
        'import signal\nfor s in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):\n    os.kill(1, s)\ntime.sleep(0.1)\nreturn "sent"',
      ),
    ).toBe('sent');
    expect(await attempt(`import signal\nreturn os.kill(${box.state().pid}, signal.SIGKILL)`)).toMatch(
      /ProcessLookupError/,
    );
    expect(box.state().endedBecause).toBeNull();
  });

  it('gets no new namespace, no trace of others, no other root and no privilege', async () => {
    const call = (name: string, args: string) =>
      `import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nr = libc.${name}(${args})\nreturn "done" if r >= 0 else errno.errorcode[ctypes.get_errno()]`;
    for (const [name, args] of [
      ['unshare', '0x10000000'],
      ['unshare', '0x00020000'],
      ['setns', '0, 0'],
      ['mount', 'b"none", b"/tmp", b"tmpfs", 0, None'],
      ['umount2', 'b"/inputs", 2'],
      ['chroot', 'b"/tmp"'],
      ['ptrace', '0, 0, 0, 0'],
      ['setuid', '0'],
      ['personality', '0x0040000'],
      ['swapon', 'b"/tmp/x", 0'],
      ['syscall', '425, 8, 0'],
      ['syscall', '321, 0, 0, 0'],
    ] as const) {
      expect(await attempt(call(name, args)), `${name}(${args})`).toMatch(/EPERM|EINVAL|ENOSYS/);
    }
    const found = await attempt(
      's = dict(l.split(":", 1) for l in open("/proc/self/status"))\nreturn [s[k].strip() for k in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")]',
    );
    expect(found).toBe(
      `['${'0'.repeat(16)}', '${'0'.repeat(16)}', '${'0'.repeat(16)}', '${'0'.repeat(16)}', '1', '2']`,
    );
    expect(box.state().uid).not.toBe(0);
    expect(Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${box.state().childPid}/status`, 'utf8'))![1])).not.toBe(0);
  });

  it('holds no descriptor of the worker or the supervisor', async () => {
    const found = await attempt(
      'out = []\nfor fd in os.listdir("/proc/self/fd"):\n    try: out.append(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])\n    except OSError: pass\nreturn sorted(set(out))',
    );
    expect(
      JSON.parse(found.replaceAll("'", '"')).filter(
        (name: string) => !/^(pipe|socket|anon_inode|\/dev\/null|\/proc\/\d+\/fd)$/.test(name),
      ),
    ).toEqual([]);
  });

  it('cannot exhaust memory: not with blocks, files in memory, shared memory or many processes', async () => {
    const died = await box.run('x = [bytearray(b"x" * (8 << 20)) for _ in range(200)]');
    expect(died.reply.ended).toMatch(/error|kernel-died/);
    expect(await attempt('return os.memfd_create("x")')).toMatch(/EPERM/);
    expect(await attempt('with open("/tmp/big", "wb") as f:\n    while True: f.write(b"x" * (1 << 20))')).toMatch(
      /ENOSPC|EFBIG/,
    );
    await attempt('os.unlink("/tmp/big")');
    expect(await attempt('with open("/dev/shm/big", "wb") as f:\n    while True: f.write(b"x" * (1 << 18))')).toMatch(
      /ENOSPC|EROFS|EACCES/,
    );
    await attempt('os.path.exists("/dev/shm/big") and os.unlink("/dev/shm/big")');
    const many = await box.run(
      'pids = []\nfor _ in range(8):\n    pid = os.fork() if "os" in globals() else __import__("os").fork()\n    if pid == 0:\n        hold = bytearray(b"x" * (128 << 20)); __import__("time").sleep(1); __import__("os")._exit(0)\n    pids.append(pid)\nimport os\n[os.waitpid(p, 0) for p in pids]',
      { timeoutMs: 8000 },
    );
    expect(many.reply.ended).toMatch(/ok|error|timeout|kernel-died/);
    expect(box.state().kills).toBeGreaterThan(0);
  });

  it('cannot exhaust processes, and a fork bomb is swept up with its sandbox', async () => {
    const outsideBefore = processes(() => true).length;
    const bombed = rig.sandbox({
      isolation: 'bubblewrap',
      limits: { memoryBytes: MEMORY, diskBytes: 64 << 20, processes: 64, cpus: 1 },
    });
    await bombed.value(
      'import os, time\nmade = 0\ndef bomb():\n    global made\n    try:\n        while True:\n            if os.fork() == 0:\n                os.setsid(); time.sleep(300); os._exit(0)\n            made += 1\n    except OSError as e:\n        return e.errno\n0',
    );
    expect(await bombed.value('import errno\nerrno.errorcode[bomb()]')).toBe("'EAGAIN'");
    expect(Number(await bombed.value('made'))).toBeLessThan(64);
    const namespace = pidNamespace(bombed.state().childPid!);
    expect(inNamespace(namespace).length).toBeGreaterThan(20);
    expect(processes(() => true).length - outsideBefore).toBeLessThan(100);
    await rig.kernels.end(bombed.spec);
    expect(inNamespace(namespace)).toEqual([]);
  });

  it('floods neither the worker with output nor the host with a log', async () => {
    let streamed = 0;
    const { reply } = await box.run('import sys\nwhile True: sys.stdout.write("x" * 65536)', {
      timeoutMs: 4000,
      onOutput: (_stream, text) => void (streamed += text.length),
    });
    expect(reply.ended).not.toBe('ok');
    expect(reply.stdout.text.length).toBeLessThanOrEqual(10_100);
    expect(streamed).toBeLessThan(5 << 20);
    await box.run('import os\nfor fd in range(1, 3):\n    for _ in range(200): os.write(fd, b"y" * 65536)', {
      timeoutMs: 4000,
    });
    const log = join(box.spec.folder, 'run', 'guest.log');
    expect(existsSync(log) ? statSync(log).size : 0).toBeLessThan(100 << 10);
  });

  it('leads the host nowhere with links, pipes and names', async () => {
    writeFileSync(join(rig.root, 'secret'), CANARY);
    await attempt(`
os.symlink(${JSON.stringify(join(rig.root, 'secret'))}, "link.csv")
os.symlink("/etc", "etc")
os.symlink(${JSON.stringify(rig.root)}, "out")
os.mkfifo("pipe.csv")
open("real.csv", "w").write("real")
os.link("real.csv", "second.csv")
open("a\\nb .csv", "w").write("odd")
open(b"\\xff\\xfe.csv", "w").write("not text")`);
    const workspace = join(box.spec.folder, 'workspace');
    expect(readFileSync(join(workspace, 'link.csv'), 'utf8')).toBe(CANARY);
    for (const name of ['link.csv', 'etc/passwd', 'out/secret', 'pipe.csv', 'real.csv'])
      expect(() => readArtifact(workspace, name, 1e6), name).toThrow(/The file/);
    expect(readArtifact(workspace, 'a\nb .csv', 1e6).toString()).toBe('odd');
    expect(listWorkspace(workspace).files.map(({ path }) => path)).toEqual(['a\nb .csv']);
  });

  it('makes nothing on the host by linking the place of a mount, at the next start', async () => {
    const trapped = rig.sandbox({ isolation: 'bubblewrap' });
    mkdirSync(join(rig.root, 'target'));
    await trapped.value(
      `import os\nos.symlink("/oldroot${join(rig.root, 'target')}", "made")\nos.symlink(${JSON.stringify(join(rig.root, 'target'))}, "inputs")\n0`,
    );
    await rig.kernels.end(trapped.spec);
    expect(await trapped.value('1')).toBe('1');
    expect(existsSync(join(rig.root, 'target', 'made'))).toBe(false);
    expect(statSync(join(rig.root, 'target')).nlink).toBe(2);
    await expect(
      rig.backend.create({
        ...rig.spec({ isolation: 'bubblewrap' }),
        mounts: [{ from: rig.root, at: '/workspace/made' }],
      }),
    ).rejects.toThrow('Nothing can be mounted at /workspace/made');
  });

  it('cannot answer for its cell over a descriptor it finds, nor keep the session from going on', async () => {
    const forged =
      'import os, json, struct\nh = json.dumps({"type": "done", "k": 0, "sha": "0" * 64, "cached": False, "attachments": [], "reply": {"ended": "ok"}}).encode()\nframe = struct.pack(">II", len(h), 0) + h\nfor fd in range(3, 64):\n    try: os.write(fd, frame)\n    except OSError: pass\n"mine"';
    const { reply } = await box.run(forged);
    expect(['ok', 'kernel-died', 'error']).toContain(reply.ended);
    const garbage = await box.run(
      'import os\nfor fd in range(3, 64):\n    try: os.write(fd, b"\\xff" * 100000)\n    except OSError: pass',
      { timeoutMs: 5000 },
    );
    expect(['ok', 'kernel-died', 'timeout', 'interrupted', 'error']).toContain(garbage.reply.ended);
  });

  it('ends a cell that hides files from the disk limit by deleting them while open, or by taking its own rights away', async () => {
    const hidden = rig.sandbox({
      isolation: 'bubblewrap',
      limits: { memoryBytes: MEMORY, diskBytes: 16 << 20, processes: 64, cpus: 1 },
    });
    const deleted = await hidden.run(
      'import os, time\nheld = []\nfor n in range(200):\n    f = open(f"f{n}", "wb"); os.unlink(f"f{n}"); f.write(os.urandom(1 << 20)); f.flush(); held.append(f); time.sleep(0.02)',
    );
    expect(deleted.reply).toMatchObject({ ended: 'kernel-died' });
    expect(deleted.reply.error?.message).toMatch(/disk limit/);
    const locked = await hidden.run(
      'import os, time\nos.mkdir("locked"); os.chdir("locked"); os.chmod(".", 0o300)\nfor n in range(200):\n    open(f"f{n}", "wb").write(os.urandom(1 << 20)); time.sleep(0.02)',
    );
    expect(locked.reply.error?.message).toMatch(/disk limit/);
    expect(await hidden.value('2')).toBe('2');
  });
});
