/** Lets the installed SDK fetch its dev server into a folder, by starting one once. Run as a process of its own: argv = root, folder. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [root, downloadDir] = process.argv.slice(2);
try {
  const { TestWorkflowEnvironment } = createRequire(join(root, 'package.json'))('@temporalio/testing');
  const environment = await TestWorkflowEnvironment.createLocal({ server: { executable: { type: 'cached-download', downloadDir } } });
  await environment.teardown();
} catch (error) {
  console.error(String(error.message).split('\n')[0].slice(0, 200));
  process.exitCode = 1;
}
