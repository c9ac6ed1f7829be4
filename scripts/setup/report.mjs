/** Says what set-up does: a line when an item starts and ends its installation, one summary line at the end. */
export class Report {
  #quiet;
  #started = performance.now();
  #installed = false;

  constructor({ quiet }) {
    this.#quiet = quiet;
  }

  /** Something that takes a while begins, or changes the machine. Printed with `--quiet` too. */
  working(item, what) {
    this.#installed = true;
    process.stdout.write(`setup  ${item.padEnd(10)} ${what}\n`);
  }

  /** Runs an installation and prints how long it took. */
  async timed(item, install) {
    const started = performance.now();
    const label = await install();
    if (this.#installed) process.stdout.write(`setup  ${item.padEnd(10)} ✓ ${seconds(performance.now() - started)}\n`);
    return label;
  }

  /** Something the user should know that does not stop the set-up. */
  note(item, what) {
    if (!this.#quiet) process.stdout.write(`setup  ${item.padEnd(10)} ${what}\n`);
  }

  summary(labels) {
    if (this.#quiet && !this.#installed) return;
    const line = `setup  ${labels.map((label) => `${label} ✓`).join('  ')}`;
    process.stdout.write(`${line}  ${seconds(performance.now() - this.#started)}\n`);
  }
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
