/**
 * What Ctrl-C and SIGTERM mean while a session is followed. Owns nothing but its own small state; the run owns session and lease.
 * Invariants: (1) a person at a terminal is asked once, (2) a second Ctrl-C stops, (3) without a terminal the first signal stops,
 * (4) one more while it is stopping leaves at once.
 */
export interface InterruptActions {
  interactive: boolean;
  /** Asks the person; null when the question was interrupted. */
  ask(): Promise<'stop' | 'detach' | 'go-on' | null>;
  stop(): void;
  detach(): void;
  leave(): void;
}

export class Interrupt {
  private state: 'following' | 'asking' | 'stopping' = 'following';
  constructor(private readonly actions: InterruptActions) {}

  /** A signal arrived, or Ctrl-C in a question. */
  readonly signal = (name: NodeJS.Signals): void => {
    if (this.state === 'stopping') return this.actions.leave();
    if (name !== 'SIGINT' || !this.actions.interactive || this.state === 'asking') return this.stop();
    this.state = 'asking';
    void this.actions.ask().then((answer) => {
      if (this.state !== 'asking') return;
      this.state = 'following';
      if (answer === 'detach') this.actions.detach();
      else if (answer !== 'go-on') this.stop();
    });
  };

  /** Listens until the returned function is called. */
  listen(): () => void {
    const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
    for (const name of names) process.on(name, this.signal);
    return () => {
      for (const name of names) process.off(name, this.signal);
    };
  }

  private stop(): void {
    this.state = 'stopping';
    this.actions.stop();
  }
}
