/** Something that cannot be had. Its message is the one sentence the user reads: what is missing and what to do. */
export class SetupProblem extends Error {
  name = 'SetupProblem';
}
