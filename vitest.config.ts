import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** Folders of `test/` that are projects of their own: they need a server, kill things or install packages. The rest is `unit`. */
const apart = ['integration', 'resilience', 'replay', 'package', 'fresh', 'chaos'];

function project(name: string, options: { server: boolean; workers?: boolean; include?: string[]; exclude?: string[]; testTimeout?: number; oneByOne?: boolean }): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      include: options.include ?? [`test/${name}/**/*.test.ts`],
      exclude: options.exclude ?? [],
      // Worker threads crash with the SDK's native module.
      pool: 'forks',
      fileParallelism: options.oneByOne !== true,
      setupFiles: options.workers === true ? ['test/rig/quiet.ts'] : [],
      globalSetup: ['test/built.ts', ...(options.server ? ['test/global-setup.ts'] : [])],
      testTimeout: options.testTimeout ?? 60_000,
      hookTimeout: 60_000,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      project('unit', { server: false, include: ['test/**/*.test.ts'], exclude: apart.map((name) => `test/${name}/**`) }),
      project('integration', { server: true, workers: true }),
      // They measure how quickly a session recovers, so nothing else runs beside.
      project('resilience', { server: true, testTimeout: 180_000, oneByOne: true }),
      project('replay', { server: false, workers: true }),
      project('package', { server: true, testTimeout: 300_000, oneByOne: true }),
      // As long as one likes: only `npm run chaos`.
      project('chaos', { server: false, include: [`test/chaos/${process.env.NL2CODE_CHAOS ?? '*'}.test.ts`], testTimeout: 86_400_000, oneByOne: true }),
      // Minutes of installing: only `npm run test:fresh`, never part of `npm test`.
      project('fresh', { server: false, testTimeout: 1_800_000, oneByOne: true }),
    ],
  },
});
