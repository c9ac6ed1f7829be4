import { userInfo } from 'node:os';

/** Who decides on the command line: the operating system's word, checked by nobody else. */
export function cliActor(): string {
  try {
    return `unauthenticated:${userInfo().username}`;
  } catch {
    // A uid without a passwd entry, as containers have.
    return `unauthenticated:uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
