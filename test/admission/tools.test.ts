import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RequestOptions } from '../../src/admission/admit.js';
import { createAdmission } from '../../src/admission/admit.js';
import { resolveConfig } from '../../src/config.js';
import { admissionRoom } from './admission-room.js';

const room = admissionRoom();
/** The flag that names a configuration with these tools allowed. */
const allowing = (allow: string): { config: string } => {
  const path = join(room.elsewhere, 'nl2code.config.yaml');
  mkdirSync(room.elsewhere, { recursive: true });
  writeFileSync(path, `tools:\n  allow: ${allow}\n`);
  return { config: path };
};

test('a request may call the tools it names, and none where it names none', async () => {
  expect((await room.admit({ tools: ['b', 'a', 'b'] })).tools).toEqual(['a', 'b']);
  expect(await room.admit({ tools: [] })).not.toHaveProperty('tools');
  expect(await room.admit({})).not.toHaveProperty('tools');
});

test('tools.allow is what a request gets that does not say, and all it may ask for', async () => {
  const flags = allowing('[lookup, append]');
  expect((await room.admit({}, flags)).tools).toEqual(['append', 'lookup']);
  expect((await room.admit({ tools: ['append'] }, flags)).tools).toEqual(['append']);
  expect(await room.admit({ tools: [] }, flags)).not.toHaveProperty('tools');
});

test('a tool beyond tools.allow is refused', async () => {
  expect((await room.refusal({ tools: ['send'] }, allowing('[lookup, append]'))).message).toBe('The tool "send" is not among tools.allow of the configuration, which has lookup, append: leave it out, or add it there.');
  expect((await room.refusal({ tools: ['send'] }, allowing('[]'))).message).toBe('The tool "send" is not among tools.allow of the configuration, which has none: leave it out, or add it there.');
});

test('a strategy that runs no cells gets none', async () => {
  expect(await room.admit({ strategy: 'single-shot' }, allowing('[append]'))).not.toHaveProperty('tools');
});

test('a strategy that runs no cells is refused where it is asked for some', async () => {
  expect((await room.refusal({ strategy: 'single-shot', tools: ['append'] })).message).toBe('Strategy single-shot runs no code in a session, so that nothing could call the tool "append": leave tools out, or choose another strategy.');
});

test.each<[string, unknown, string]>([
  ['no list', 'append', 'tools is "append": give a list of texts.'],
  ['no text', [3], 'tools is [3]: give a list of texts.'],
  ['no name', ['send mail'], 'The tool "send mail" can\'t be one: name a tool of the worker, as it is registered there.'],
  ['too many', Array.from({ length: 101 }, (_, i) => `t${i}`), 'The request names 101 tools: name at most 100.'],
])('tools that are %s are refused', async (_law, tools, says) => {
  expect((await room.refusal({ tools } as unknown as Partial<RequestOptions>)).message).toBe(says);
});

test('a configuration that allows something else than names is refused', () => {
  const config = () => resolveConfig({ flags: { dataDir: room.data, ...allowing('append') }, env: {}, cwd: room.cwd });
  expect(config).toThrow(/^tools\.allow in .* is "append" \(text\), which is not a list of names of tools; set it to/);
});

test('a follow-up may call what its session could, as far as that is still allowed, unless it says otherwise', async () => {
  const last = await room.admit({ tools: ['append', 'lookup'] });
  const follow = (options: Partial<RequestOptions>, flags: { config?: string } = {}) => {
    const config = resolveConfig({ flags: { dataDir: room.data, ...flags }, env: {}, cwd: room.cwd });
    return createAdmission(config, { cwd: room.cwd }).admitFollowUp({ prompt: 'and more', ...options }, last, room.store.session('s1'), 'r2');
  };
  expect((await follow({})).tools).toEqual(['append', 'lookup']);
  expect((await follow({}, allowing('[append, other]'))).tools).toEqual(['append']);
  expect((await follow({ tools: ['send'] })).tools).toEqual(['send']);
  expect(await follow({ tools: [] })).not.toHaveProperty('tools');
  expect(await follow({ strategy: 'single-shot' })).not.toHaveProperty('tools');
});
