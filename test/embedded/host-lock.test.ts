import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireHostLock, lockHolder, takeAfter } from '../../src/embedded/host-lock.js';
import { onLine } from '../../src/embedded/lines.js';
import { identityOf } from '../../src/embedded/process-identity.js';

const racer = fileURLToPath(new URL('./lock-racer.mjs', import.meta.url));
const self = identityOf(process.pid)!;
const dead = { pid: process.pid, startTime: 'another boot:1' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nl2code-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const generations = () => readdirSync(folder).filter((name) => name.startsWith('host.lock.')).sort();
const plant = (generation: number, owner: unknown) => writeFileSync(join(folder, `host.lock.${generation}`), JSON.stringify({ owner }));
function take() {
  const taken = acquireHostLock(folder);
  if ('heldBy' in taken) throw new Error(`held by ${taken.heldBy.pid}`);
  return taken.lock;
}

describe('the host lock', () => {
  it('is held until it is released', () => {
    const lock = take();
    expect(acquireHostLock(folder)).toEqual({ heldBy: self });
    expect(lockHolder(folder)).toEqual(self);
    lock.release();
    expect(lockHolder(folder)).toBeNull();
    take().release();
  });

  it('is free when its owner is dead, also when another process has its pid now', () => {
    plant(3, dead);
    expect(lockHolder(folder)).toBeNull();
    take();
    expect(generations()).toEqual(['host.lock.4']);
  });

  it('is free when a power cut left its file empty or torn', () => {
    writeFileSync(join(folder, 'host.lock.1'), '');
    take().release();
    writeFileSync(join(folder, 'host.lock.9'), '{"owner":{"pid":');
    take();
    expect(generations()).toEqual(['host.lock.10']);
  });

  it('never counts down: a release keeps the highest generation', () => {
    take().release();
    take().release();
    expect(generations()).toEqual(['host.lock.2']);
  });

  it('goes to nobody who comes late: the generation after the one it saw was made, used and removed', () => {
    plant(7, null);
    expect(takeAfter(folder, 4, self)).toBe(false);
    expect(generations()).toEqual(['host.lock.7']);
    expect(takeAfter(folder, 7, self)).toBe(true);
    expect(generations()).toEqual(['host.lock.8']);
  });

  it('goes to nobody who finds its predecessor gone, even alone', () => {
    expect(takeAfter(folder, 4, self)).toBe(false);
    expect(generations()).toEqual([]);
  });

  it('goes to one of two who saw the same owner dead', () => {
    plant(1, dead);
    expect([takeAfter(folder, 1, self), takeAfter(folder, 1, self)]).toEqual([true, false]);
  });

  it('has one holder at a time among eight racing processes, killed or released forty times', async () => {
    const racers = new Map<number, ChildProcess>();
    const held: number[] = [];
    const violations: string[] = [];
    let wake = () => {};
    const start = () => {
      const child = spawn(process.execPath, [racer, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.on('error', () => undefined);
      racers.set(child.pid!, child);
      onLine(child.stdout, (line) => {
        if (line === 'held') held.push(child.pid!);
        else violations.push(line);
        wake();
      });
    };
    const nextHolder = async () => {
      while (held.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return held.shift()!;
    };
    for (let i = 0; i < 8; i += 1) start();
    try {
      for (let round = 0; round < 40; round += 1) {
        const holder = racers.get(await nextHolder())!;
        expect(held, 'a second holder').toEqual([]);
        if (round % 2 === 0) {
          const ended = new Promise((resolve) => holder.once('exit', resolve));
          holder.kill('SIGKILL');
          racers.delete(holder.pid!);
          await ended;
          start();
        } else {
          holder.stdin!.write('release\n');
        }
      }
    } finally {
      for (const child of racers.values()) child.kill('SIGKILL');
    }
    expect(violations).toEqual([]);
  });
});
