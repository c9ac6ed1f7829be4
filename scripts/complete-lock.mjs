#!/usr/bin/env node
/**
 * Adds to package-lock.json the platform packages that the registry of whoever made the lock does not serve. Without them `npm ci`
 * refuses the lock, on every machine. Run it after `npm install`; it changes nothing when nothing is missing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OS = ['darwin', 'win32', 'linux', 'android', 'freebsd', 'openharmony', 'aix', 'sunos', 'netbsd', 'openbsd'];
const CPU = ['arm64', 'x64', 'ia32', 'ppc64', 's390x', 'arm', 'riscv64', 'loong64', 'wasm32'];

/** Optional packages that a lock names and does not hold, with the entries they need. Pure. */
export function missingPlatforms(lock) {
  const missing = {};
  for (const [at, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (lock.packages[`node_modules/${name}`] || lock.packages[`${at}/node_modules/${name}`]) continue;
      const parts = name.split('/').at(-1).split('-');
      const cpu = CPU.find((word) => parts.includes(word));
      const os = OS.find((word) => parts.includes(word));
      const libc = parts.some((word) => word.startsWith('musl')) ? 'musl' : parts.some((word) => word.startsWith('gnu')) ? 'glibc' : undefined;
      missing[`node_modules/${name}`] = {
        version: range.replace(/^[\^~]/, ''),
        ...(cpu ? { cpu: [cpu] } : {}),
        ...(entry.dev ? { dev: true } : {}),
        ...(libc ? { libc: [libc] } : {}),
        optional: true,
        ...(os ? { os: [os] } : {}),
      };
    }
  }
  return missing;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../package-lock.json', import.meta.url));
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const missing = missingPlatforms(lock);
  lock.packages = Object.fromEntries(Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1)));
  if (Object.keys(missing).length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${Object.keys(missing).length} platform packages added to the lock`);
}
