// Ships a folder's states as a worker does, and is killed by itself at a put: before it, in the middle of its bytes, or after it.
import { createHash } from 'node:crypto';
import { shipCheckpoint } from '../../dist/sandbox/ship-checkpoint.js';
import { FolderCheckpoints } from '../../dist/store/folder-checkpoints.js';

const [place, folder, cells, at, when] = process.argv.slice(2);
const sha = (text) => createHash('sha256').update(text).digest('hex');
const die = () => process.kill(process.pid, 'SIGKILL');

/** All bytes but the last, which is where a put is killed that had written nearly all. */
async function* half(chunks) {
  for await (const chunk of chunks) yield chunk.subarray(0, -1);
  die();
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

class Killed extends FolderCheckpoints {
  puts = 0;
  async put(key, object) {
    const now = this.puts++ === Number(at);
    if (now && when === 'before') die();
    await super.put(key, now && when === 'half' ? { ...object, chunks: half(object.chunks) } : object);
    if (now && when === 'after') die();
  }
}
const recordOf = (k) => (k < Number(cells) ? sha(`record ${k}`) : undefined);
await shipCheckpoint(new Killed(place, 'process'), { session: 's', folder, cells: Number(cells), recordOf, codeShaOf: () => undefined, diskBytes: 1 << 30 });
