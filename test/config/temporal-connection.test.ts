import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config.js';
import { connectOptions } from '../../src/temporal-connection.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nl2code-temporal-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const resolved = (env: Record<string, string>) => {
  const all = { HOME: home, ...env };
  const config = resolveConfig({ env: all, cwd: home });
  return { config, connect: (embedded?: string) => connectOptions(config, embedded, all) };
};
const profiles = (text: string) => {
  const path = join(home, 'temporal.toml');
  writeFileSync(path, text);
  return path;
};

test('without TEMPORAL_* variables the embedded server is used', () => {
  const { config, connect } = resolved({});
  expect(config.temporal).toEqual({ mode: 'embedded', port: 0, uiPort: null });
  expect(connect('127.0.0.1:7')).toEqual({ address: '127.0.0.1:7' });
});

test('TEMPORAL_ADDRESS means an external server', () => {
  const { config, connect } = resolved({ TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_NAMESPACE: 'prod' });
  expect(config).toMatchObject({ temporal: { mode: 'external', profile: null }, namespace: 'prod' });
  expect(connect('127.0.0.1:7')).toEqual({ address: 'temporal.example:7233' });
});

test('a profile of a file gives address, namespace, key and TLS', () => {
  const path = profiles('[profile.cloud]\naddress = "x.tmprl.cloud:7233"\nnamespace = "x.y"\napi_key = "k"\n');
  const { config, connect } = resolved({ TEMPORAL_CONFIG_FILE: path, TEMPORAL_PROFILE: 'cloud' });
  expect(config).toMatchObject({ temporal: { mode: 'external', profile: 'cloud' }, namespace: 'x.y' });
  expect(connect()).toMatchObject({ address: 'x.tmprl.cloud:7233', apiKey: 'k', tls: true });
});

test('a profile that can not be loaded is one sentence', () => {
  const path = profiles('[profile.default]\naddress = "a:1"\n');
  expect(() => resolved({ TEMPORAL_CONFIG_FILE: path, TEMPORAL_PROFILE: 'nope' })).toThrow(/^The Temporal connection profile "nope" can't be loaded \(.*\): correct TEMPORAL_CONFIG_FILE/);
});

test('the file can keep the embedded server as the default', () => {
  writeFileSync(join(home, 'nl2code.config.yaml'), 'temporal: { mode: embedded, port: 7300, uiPort: 8300 }\n');
  expect(resolved({}).config.temporal).toEqual({ mode: 'embedded', port: 7300, uiPort: 8300 });
});
