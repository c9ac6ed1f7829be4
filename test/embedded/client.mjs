/** A client process: attaches to the host of the data directory, prints its lease, holds it until it is told to go or killed. */
import { attachHost } from '../../dist/embedded/attach.js';

const { config, options } = JSON.parse(process.env.CLIENT);
try {
  const lease = await attachHost(config, options);
  const { address, modelUrl, hostPid } = lease;
  console.log(JSON.stringify({ address, modelUrl, hostPid, workers: lease.workers() }));
  await new Promise((resolve) => process.stdin.once('data', resolve));
  await lease.release();
  process.exit(0);
} catch (error) {
  console.log(JSON.stringify({ failed: error.message }));
  process.exit(1);
}
