/** What a worker process looks like to its host, without Temporal. STAND_IN says how it misbehaves. */
const { config, address, modelUrl } = JSON.parse(process.env.NL2CODE_WORKER_CONFIG);
const mode = process.env.STAND_IN ?? '';
if (mode === 'broken') {
  console.error(`no task queue called ${config.taskQueue}.`);
  process.exit(1);
}
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => mode !== 'stuck' && process.exit(0));
process.stderr.write(`${JSON.stringify({ address, modelUrl })}\n`);
console.log('ready');
setInterval(() => undefined, 1000);
