import { buildOnce, isBuilt } from '../build.mjs';
import { SetupProblem } from './problem.mjs';

/** The compiled product with its workflow bundle. */
export function dist({ root }) {
  return {
    name: 'build',
    check: async () => (isBuilt(root) ? 'build' : null),
    install: async (report) => {
      report.working('build', 'src to dist');
      const problem = await buildOnce(root);
      if (problem !== null) throw new SetupProblem(problem);
      return 'build';
    },
  };
}
