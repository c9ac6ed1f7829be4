import { DefaultLogger, Runtime, type LogLevel } from '@temporalio/worker';

/**
 * Loaded before each test file of the projects that create workers. A failed activity, or a workflow that is told to fail, is what these
 * tests are about, and the assertions say more about it; NL2CODE_TEST_LOG=INFO shows everything.
 */
const level = (process.env.NL2CODE_TEST_LOG ?? 'ERROR') as LogLevel;
Runtime.install({ logger: new DefaultLogger(level), shutdownSignals: [], telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } } });
