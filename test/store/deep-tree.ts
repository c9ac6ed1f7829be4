import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes folders in a folder until no path reaches the innermost one, which has a file. */
export function makeDeep(folder: string): void {
  const code = 'import os\nfor _ in range(40):\n    os.mkdir("d" * 200)\n    os.chdir("d" * 200)\nopen("file", "w").close()';
  execFileSync(join(import.meta.dirname, '../../.runtime/python/bin/python3'), ['-c', code], { cwd: folder });
}
