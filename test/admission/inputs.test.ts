import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, closeSync, linkSync, mkdirSync, openSync, readFileSync, readdirSync, statSync, symlinkSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openInput } from '../../src/admission/input-file.js';
import { sha256 } from '../../src/store/blobs.js';
import { admissionRoom } from './admission-room.js';

const room = admissionRoom();
const CSV = 'a,b\n1,2\n';
const utf16 = (text: string, big = false) => {
  const bytes = Buffer.from(text, 'utf16le');
  return big ? bytes.swap16() : bytes;
};

describe('an input is copied into the session', () => {
  test('read-only, with its size and digest', async () => {
    room.file('data.csv', CSV);
    const request = await room.admit({ inputs: ['data.csv'] });
    expect(request.inputs).toEqual([{ name: 'data.csv', sha256: sha256(CSV), bytes: 8 }]);
    const copy = join(room.store.at('s1').inputs, 'data.csv');
    expect(readFileSync(copy, 'utf8')).toBe(CSV);
    expect(statSync(copy).mode & 0o777).toBe(0o444);
    expect(readdirSync(room.store.at('s1').inputs)).toEqual(['data.csv']);
  });

  test('truth apart from what generated code sees', async () => {
    room.file('data.csv', CSV);
    room.file('truth.csv', 'x\n');
    const request = await room.admit({ inputs: ['data.csv'], truth: ['truth.csv'] });
    expect(request.truth).toEqual([{ name: 'truth.csv', sha256: sha256('x\n'), bytes: 2 }]);
    expect(readdirSync(room.store.at('s1').truth)).toEqual(['truth.csv']);
    expect(readdirSync(room.store.at('s1').inputs)).toEqual(['data.csv']);
  });

  test('again without harm when the content is the same', async () => {
    room.file('data.csv', CSV);
    const first = await room.admit({ inputs: ['data.csv'] });
    const inode = statSync(join(room.store.at('s1').inputs, 'data.csv')).ino;
    expect(await room.admit({ inputs: ['data.csv'] })).toEqual(first);
    expect(statSync(join(room.store.at('s1').inputs, 'data.csv')).ino).toBe(inode);
  });

  test('not over other content of the same request', async () => {
    room.file('data.csv', CSV);
    await room.admit({ inputs: ['data.csv'], idempotencyKey: 'k' });
    room.file('data.csv', 'a,b\n3,4\n');
    await expect(room.admit({ inputs: ['data.csv'], idempotencyKey: 'k' })).rejects.toThrow('The input "data.csv" differs from the one this session was started with: use another --idempotency-key, or give the same file.');
    expect(readFileSync(join(room.store.at('s1').inputs, 'data.csv'), 'utf8')).toBe(CSV);
    expect(readdirSync(room.store.at('s1').inputs)).toEqual(['data.csv']);
  });

  test('with durability host too', async () => {
    room.file('data.csv', CSV);
    expect((await room.admit({ inputs: ['data.csv'] }, { durability: 'host' })).inputs).toHaveLength(1);
  });
});

describe('a file name works that has', () => {
  test.each([
    ['spaces', 'my data.csv'],
    ['quotes', `it's "mine".csv`],
    ['a newline', 'two\nlines.csv'],
    ['composed Unicode', 'gr\u00f6\u00dfe.csv'],
    ['decomposed Unicode', 'gro\u0308sse.csv'],
    ['emoji and right-to-left text', '\u{1f4c8}\u05d0\u05d1.csv'],
    ['a leading dash', '--help.csv'],
    ['no extension', 'data'],
  ])('%s', async (_what, name) => {
    room.file(name, CSV);
    expect((await room.admit({ inputs: [name] })).inputs[0]!.name).toBe(name);
    expect(readdirSync(room.store.at('s1').inputs)).toEqual([name]);
  });

  test('composed and decomposed forms are two names', async () => {
    room.file('\u00f6.csv', CSV);
    room.file('o\u0308.csv', CSV);
    expect((await room.admit({ inputs: ['\u00f6.csv', 'o\u0308.csv'] })).inputs).toHaveLength(2);
  });
});

describe('a table works that', () => {
  test.each<[string, string | Uint8Array]>([
    ['is separated by semicolons', 'a;b\n1,5;2\n'],
    ['is separated by tabs', 'a\tb\n1\t2\n'],
    ['is separated by pipes', 'a|b\n1|2\n'],
    ['begins with a byte order mark', '\ufeffa,b\n1,2\n'],
    ['is UTF-16 with a mark', utf16(`\ufeff${CSV}`)],
    ['is big-endian UTF-16 with a mark', utf16(`\ufeff${CSV}`, true)],
    ['is UTF-16 without a mark', utf16(CSV.repeat(20))],
    ['is UTF-16 of another script', utf16('\ufeffимя,城市\nа,北京\n')],
    ['is Latin-1', Buffer.from('stra\u00dfe,gr\u00f6\u00dfe\n1,2\n', 'latin1')],
    ['is Windows-1252', Buffer.from([0x61, 0x2c, 0x93, 0x62, 0x94, 0x80, 0x0a])],
    ['is Shift-JIS', Buffer.from([0x96, 0xbc, 0x91, 0x4f, 0x2c, 0x92, 0x6c, 0x0a, 0x41, 0x2c, 0x31, 0x0a])],
    ['ends its lines as Windows does', 'a,b\r\n1,2\r\n'],
    ['has a header and no rows', 'a,b\n'],
    ['has no newline at its end', 'a,b\n1,2'],
    ['has UTF-8 cut at the end of what is looked at', Buffer.from(`a\n${'x'.repeat((256 << 10) - 3)}ö\n`)],
  ])('%s', async (_what, content) => {
    room.file('data.csv', content);
    expect((await room.admit({ inputs: ['data.csv'] })).inputs[0]!.bytes).toBe(Buffer.from(content).length);
  });

  test('is a read-only file', async () => {
    chmodSync(room.file('data.csv', CSV), 0o444);
    expect((await room.admit({ inputs: ['data.csv'] })).inputs).toHaveLength(1);
  });

  test('has the magic its name promises', async () => {
    room.file('a.parquet', `PAR1${'\0'.repeat(20)}PAR1`);
    room.file('b.XLSX', 'PK\x03\x04rest');
    room.file('c.csv.gz', gzipSync(CSV));
    room.file('d.json', '\ufeff [1, 2]');
    room.file('e.jsonl', '{"a": NaN}\n{"a": 1}\n');
    room.file('f.png', Buffer.from([0x89, 0x50, 0, 1]));
    expect((await room.admit({ inputs: ['a.parquet', 'b.XLSX', 'c.csv.gz', 'd.json', 'e.jsonl', 'f.png'] })).inputs).toHaveLength(6);
  });
});

describe('content is refused that is', () => {
  const text = (what = '') => `holds binary data where text is meant${what}: export it as text, or rename it to what it is.`;
  const not = (what: string, like = '') => `is not ${what}, whatever its name says${like}: export it again, or rename it to what it is.`;
  test.each<[string, string, string | Uint8Array, string]>([
    ['empty', 'data.csv', '', 'is empty (0 bytes): give a file with data.'],
    ['white space only', 'data.csv', '\ufeff \r\n\n', 'holds nothing but white space: give a file with data.'],
    ['an image', 'data.csv', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]), text(' (it looks like an image)')],
    ['compressed', 'data.tsv', gzipSync('x'.repeat(1000)), text(' (it looks like a gzip archive)')],
    ['Parquet under a name of text', 'data.csv', `PAR1${'\0'.repeat(20)}PAR1`, text(' (it looks like a Parquet file)')],
    ['control characters', 'data.txt', Buffer.from(Array.from({ length: 4000 }, (_, i) => 1 + ((i * 7919) % 255))), text()],
    ['text under the name of Parquet', 'data.parquet', CSV, not('a Parquet file')],
    ['Parquet that was cut', 'data.parquet', `PAR1${'x'.repeat(50)}`, not('a Parquet file', ' (it looks like a Parquet file)')],
    ['four bytes of Parquet', 'data.parquet', 'PAR1', not('a Parquet file', ' (it looks like a Parquet file)')],
    ['text under the name of Excel', 'data.xlsx', CSV, not('an Excel workbook')],
    ['text under the name of gzip', 'data.csv.gz', CSV, not('a gzip file')],
    ['text under the name of JSON', 'data.json', CSV, 'is not JSON, whatever its name says (it begins with "a"): export it again, or rename it to what it is.'],
    ['binary under the name of JSON', 'data.json', Buffer.from([0x7b, 0, 0, 0, 9, 0]), text()],
  ])('%s', async (_what, name, content, sentence) => {
    room.file(name, content);
    expect(await room.refusal({ inputs: [name] })).toEqual({ code: 'bad-input', message: `The input "${name}" ${sentence}` });
  });
});

describe('a file is refused that', () => {
  const refused = async (path: string, sentence: string) => expect(await room.refusal({ inputs: [path] })).toEqual({ code: 'bad-input', message: `The input ${JSON.stringify(path)} ${sentence}` });
  const OUTSIDE = 'copy it into the working directory, or allow its folder with --allow.';

  test('is missing', () => refused('nope.csv', 'does not exist: correct the path.'));
  test('has a missing folder', () => refused('nope/x.csv', 'does not exist: correct the path.'));
  test('has no name', () => refused('', 'is no path: name a file.'));
  test('has a NUL in its name', () => refused('a\0.csv', 'is no path: name a file.'));
  test('leads to itself', async () => {
    symlinkSync('loop.csv', join(room.cwd, 'loop.csv'));
    await refused('loop.csv', 'is a link that leads nowhere: name the file itself.');
  });
  test('is a folder', async () => {
    mkdirSync(join(room.cwd, 'folder.csv'));
    await refused('folder.csv', 'is a folder: name a regular file.');
    await refused('.', 'is a folder: name a regular file.');
  });
  test('is a pipe', async () => {
    execFileSync('mkfifo', [join(room.cwd, 'pipe.csv')]);
    await refused('pipe.csv', 'is a pipe: name a regular file.');
  });
  test('is a socket', async () => {
    const server = createServer().listen(join(room.cwd, 'sock.csv'));
    await new Promise((resolve) => server.once('listening', resolve));
    await refused('sock.csv', 'is a socket: name a regular file.');
    server.close();
  });
  test('is a device', () => refused('/dev/zero', 'is a device: name a regular file.'));
  test('belongs to the kernel, also when everything is allowed', async () => {
    expect((await room.refusal({ inputs: ['/proc/self/environ'] }, { allow: ['/'] })).message).toContain('lies outside the allowed folders');
  });

  test('lies outside the allowed folders', async () => {
    const path = room.file('x.csv', CSV, room.elsewhere);
    await refused(path, `lies outside the allowed folders: ${OUTSIDE}`);
    await refused('../elsewhere/x.csv', `lies outside the allowed folders: ${OUTSIDE}`);
  });
  test('lies beside a folder whose name begins the same', async () => {
    mkdirSync(`${room.cwd}-2`);
    writeFileSync(join(`${room.cwd}-2`, 'x.csv'), CSV);
    await refused(join(`${room.cwd}-2`, 'x.csv'), `lies outside the allowed folders: ${OUTSIDE}`);
  });
  test('leads outside by a link', async () => {
    const path = room.file('x.csv', CSV, room.elsewhere);
    symlinkSync(path, join(room.cwd, 'link.csv'));
    await refused('link.csv', `lies outside the allowed folders (it leads to ${JSON.stringify(path).slice(0, 79)}): ${OUTSIDE}`);
  });
  test('leads outside by a linked folder', async () => {
    room.file('x.csv', CSV, room.elsewhere);
    symlinkSync(room.elsewhere, join(room.cwd, 'folder'));
    expect((await room.refusal({ inputs: ['folder/x.csv'] })).message).toContain('lies outside the allowed folders (it leads to');
  });
  test('but not one that an allowed folder holds, or that a link inside leads to', async () => {
    const path = room.file('x.csv', CSV, room.elsewhere);
    room.file('y.csv', CSV);
    symlinkSync('y.csv', join(room.cwd, 'link.csv'));
    expect((await room.admit({ inputs: [path, 'link.csv'] }, { allow: [room.elsewhere] })).inputs.map(({ name }) => name)).toEqual(['x.csv', 'link.csv']);
  });
  test('and not one in a working directory that is reached by a link', async () => {
    room.file('x.csv', CSV);
    const link = join(room.elsewhere, 'cwd');
    symlinkSync(room.cwd, link);
    expect((await room.admit({ inputs: ['x.csv'] }, {}, { cwd: link })).inputs).toHaveLength(1);
  });

  test('is larger than the limit', async () => {
    room.file('big.csv', 'a\n');
    truncateSync(join(room.cwd, 'big.csv'), 2_000_000_001);
    await refused('big.csv', 'has 2,000,000,001 bytes, more than the limit of 2,000,000,000: give a smaller file, or raise admission.maxInputBytes in nl2code.config.yaml.');
  });

  test('has the name of another', async () => {
    mkdirSync(join(room.cwd, 'b'));
    room.file('x.csv', CSV);
    room.file('x.csv', CSV, join(room.cwd, 'b'));
    expect((await room.refusal({ inputs: ['x.csv', 'b/x.csv'] })).message).toBe('The inputs "x.csv" and "b/x.csv" have the same name "x.csv": rename one.');
  });

  test('is input and truth, under whatever name', async () => {
    linkSync(room.file('x.csv', CSV), join(room.cwd, 'y.csv'));
    expect((await room.refusal({ inputs: ['x.csv'], truth: ['y.csv'] })).message).toBe('The truth file "y.csv" is an input too, so the generated code would see the answers: give it as one of them.');
  });

  test('is one of 201', async () => {
    expect((await room.refusal({ inputs: Array.from({ length: 201 }, (_, i) => `${i}.csv`) })).message).toBe('The request has 201 files: give at most 200.');
  });

  test('is no text', async () => expect((await room.refusal({ inputs: [7] as never })).message).toBe('inputs is [7]: give a list of paths.'));

  test("can't be read", async () => {
    chmodSync(room.file('x.csv', CSV), 0);
    // Root reads everything: only an ordinary user is refused by permissions.
    const root = process.geteuid!() === 0;
    if (root) process.seteuid!(65534);
    try {
      await expect(room.admit({ inputs: ['x.csv'] })).rejects.toThrow('The input "x.csv" can\'t be read: correct its permissions.');
    } finally {
      if (root) process.seteuid!(0);
    }
  });
});

test('a folder that is swapped for a link meanwhile never shows what lies outside', async () => {
  const folder = join(room.cwd, 'folder');
  mkdirSync(folder);
  room.file('x.csv', CSV, folder);
  room.file('x.csv', 'secret\n', room.elsewhere);
  const script = `const fs = require('node:fs');
    const [folder, outside] = process.argv.slice(1);
    process.stdout.write('begun');
    for (;;) { fs.renameSync(folder, folder + '-real'); fs.symlinkSync(outside, folder); fs.unlinkSync(folder); fs.renameSync(folder + '-real', folder); }`;
  const swapper = spawn(process.execPath, ['-e', script, folder, room.elsewhere], { stdio: ['ignore', 'pipe', 'ignore'] });
  const policy = { roots: [room.cwd], maxBytes: 1000, cwd: room.cwd };
  const seen = new Set<string>();
  try {
    await new Promise((resolve) => swapper.stdout.once('data', resolve));
    // On a busy machine all of so many may fall into a swap.
    for (let i = 0; i < 3000 || seen.size === 0; i++) {
      const input = await openInput('folder/x.csv', policy).catch(() => null);
      if (!input) continue;
      seen.add((await input.handle.readFile('utf8')).trim());
      await input.handle.close();
    }
  } finally {
    swapper.kill('SIGKILL');
    await new Promise((resolve) => swapper.once('exit', resolve));
  }
  expect([...seen]).toEqual([CSV.trim()]);
});

describe('a file that changes while it is copied is refused', () => {
  test('by being rewritten in place', async () => {
    const path = room.file('same.csv', '1\n'.repeat(3_000_000));
    const admitted = room.admit({ inputs: ['same.csv'] }).then(
      () => null,
      (error: Error) => error.message,
    );
    const fd = openSync(path, 'r+');
    let open = true;
    const rewrite = () => {
      if (!open) return closeSync(fd);
      writeSync(fd, '2\n', 0);
      setImmediate(rewrite);
    };
    rewrite();
    const message = await admitted;
    open = false;
    expect(message).toBe('The input "same.csv" changed while it was copied: wait until it is complete and start again.');
  });

  test('by growing', async () => {
    const path = room.file('grows.csv', `a\n${'1\n'.repeat(3_000_000)}`);
    const admitted = room.admit({ inputs: ['grows.csv'] }).then(
      () => null,
      (error: Error) => error.message,
    );
    let open = true;
    const grow = () => {
      if (!open) return;
      writeFileSync(path, '2\n', { flag: 'a' });
      setImmediate(grow);
    };
    grow();
    const message = await admitted;
    open = false;
    expect(message).toBe('The input "grows.csv" changed while it was copied: wait until it is complete and start again.');
    expect(room.store.has('s1')).toBe(false);
  });
});
