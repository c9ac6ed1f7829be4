/** `up` as a process: prints its events. */
import { runHost } from '../../dist/embedded/host.js';

const { config, options } = JSON.parse(process.env.UP);
delete process.env.UP;
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
runHost(config, { ...options, mode: 'up', onEvent: say }).catch((error) => {
  say({ kind: 'refused', message: error.message });
  process.exitCode = 1;
});
