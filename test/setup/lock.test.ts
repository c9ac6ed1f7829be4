import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error a script without types
import { missingPlatforms } from '../../scripts/complete-lock.mjs';

const missing = missingPlatforms as (lock: unknown) => Record<string, unknown>;
const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as { packages: Record<string, { resolved?: string }> };

test('the lock holds the packages of every platform, or npm ci refuses it', () => expect(missing(lock)).toEqual({}));

test('a platform that the lock leaves out is found', () => {
  const { 'node_modules/@swc/core-darwin-arm64': _left, ...packages } = lock.packages;
  expect(missing({ packages })).toEqual({ 'node_modules/@swc/core-darwin-arm64': expect.objectContaining({ os: ['darwin'], cpu: ['arm64'], optional: true }) as unknown });
});

test('the lock names no registry', () => expect(Object.values(lock.packages).filter(({ resolved }) => resolved?.startsWith('http'))).toEqual([]));
