/**
 * Lets few calls of a file system run at a time, so that one that hangs, as those of a network file system whose server is away, leaves the
 * process threads for its other work. Host side.
 * Invariants:
 * (1) a call holds its place until it comes back, however late: there are never more at once;
 * (2) while one is overdue, it and every other fail at once; when it comes back, all is as before.
 */
export class FewCalls {
  private readonly waiting: Waiting[] = [];
  private running = 0;
  private overdue = 0;

  constructor(
    private readonly most: number,
    private readonly overdueMs: number,
  ) {}

  /** `late` has what comes back after the call was given up, to close it. */
  async run<T>(place: string, call: () => Promise<T>, late?: (value: T) => unknown): Promise<T> {
    const away = () => new Error(`${place} does not answer: a call of its file system takes longer than ${this.overdueMs / 1000} s. Bring its server back, or mount it again.`);
    if (this.overdue > 0) throw away();
    if (this.running >= this.most) await new Promise<void>((begin, fail) => this.waiting.push({ begin, fail: () => fail(away()) }));
    else this.running += 1;
    return new Promise<T>((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        this.overdue += 1;
        reject(away());
        for (const { fail } of this.waiting.splice(0)) fail();
      }, this.overdueMs);
      const back = () => {
        clearTimeout(timer);
        if (isLate) this.overdue -= 1;
        // Whoever waits longest has the place, which nobody else can take meanwhile.
        const next = this.waiting.shift();
        if (next) next.begin();
        else this.running -= 1;
      };
      call().then(
        (value) => {
          back();
          if (isLate) late?.(value);
          resolve(value);
        },
        (error: Error) => {
          back();
          reject(error);
        },
      );
    });
  }
}

interface Waiting {
  begin(): void;
  fail(): void;
}
