/** The door for tests of workers and workflows that use nl2code: named doubles and things to wait for. Needs no test framework. See docs/testing.md. */
export { scriptedModel, type ScriptedModel, type ScriptedModelOptions, type ScriptedTurn } from './testing/scripted-model.js';
export { testWorld, type TestWorld, type TestWorldOptions } from './testing/test-world.js';
export { type CallTool, type KernelDoubleOptions } from './testing/kernel-double.js';
export { type VerifierDoubleOptions } from './testing/verifier-double.js';
export { untilProposal, untilResult, type UntilOptions } from './testing/until.js';
