#!/usr/bin/env node
/**
 * Installs what a fresh checkout lacks, into its own ignored folders: npm packages, the Python of sandboxes, the Temporal
 * dev server, the compiled `dist`. Node built-ins only. Changes nothing and is quick when nothing is missing.
 *
 *   node scripts/setup.mjs [--quiet] [--dev] [--runtime-dir DIR]
 *
 * --quiet        says nothing unless something had to be installed or is wrong
 * --dev          also installs what checks the guest's Python code
 * --runtime-dir  where Python and the server go (default: .runtime in the checkout)
 */
const oldestNode = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  console.error(`Node ${process.versions.node} at ${process.execPath} is too old: install Node ${oldestNode.join('.')} or newer and run this again.`);
  process.exit(1);
}
// Only a new enough Node can read the rest.
const { setUpFromCommandLine } = await import('./setup/set-up.mjs');
process.exitCode = await setUpFromCommandLine(process.argv.slice(2));
