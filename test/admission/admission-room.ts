import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { createAdmission, type AdmissionPlace, type RequestOptions } from '../../src/admission/admit.js';
import { resolveConfig, type ConfigFlags } from '../../src/config.js';
import type { Request } from '../../src/session/request.js';
import { SessionStore } from '../../src/store/session-store.js';

/** Real folders for one test: `cwd` where the user stands, `elsewhere` outside it, `data` for sessions. */
export interface Room {
  cwd: string;
  elsewhere: string;
  data: string;
  store: SessionStore;
  file(name: string, content: string | Uint8Array, folder?: string): string;
  admit(options: Partial<RequestOptions>, flags?: ConfigFlags, place?: AdmissionPlace, env?: Record<string, string>): Promise<Request>;
  /** The refusal's sentence; fails when nothing is refused or anything was written. */
  refusal(options: Partial<RequestOptions>, flags?: ConfigFlags, env?: Record<string, string>): Promise<{ code: string; message: string }>;
}

export function admissionRoom(): Room {
  const room = {} as Room;
  beforeEach(() => {
    const top = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-admission-')));
    chmodSync(top, 0o755);
    Object.assign(room, { cwd: join(top, 'cwd'), elsewhere: join(top, 'elsewhere'), data: join(top, 'data') });
    for (const folder of [room.cwd, room.elsewhere]) mkdirSync(folder);
    room.store = new SessionStore(room.data);
  });
  afterEach(() => rmSync(dirname(room.cwd), { recursive: true, force: true }));
  room.file = (name, content, folder = room.cwd) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  room.admit = (options, flags = {}, place = {}, env = {}) => {
    const config = resolveConfig({ flags: { dataDir: room.data, ...flags }, env, cwd: room.cwd });
    return createAdmission(config, { cwd: room.cwd, ...place }).admit({ prompt: 'count the rows', ...options }, () => room.store.session('s1'), 'r1');
  };
  room.refusal = async (options, flags, env) => {
    const error = await room.admit(options, flags, {}, env).then(
      () => null,
      (reason: Error & { code: string }) => reason,
    );
    if (error?.name !== 'Nl2codeError') throw new Error(`not refused on purpose: ${error?.stack}`);
    if (room.store.has('s1')) throw new Error('the refusal left a session folder behind');
    return { code: error.code, message: error.message };
  };
  return room;
}
