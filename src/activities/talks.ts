import type { Hash } from '../session/json.js';
import { Conversation, type ReadText } from '../prompts/conversation.js';
import type { Link } from '../store/chain.js';

const REMEMBERED_SESSIONS = 64;

/** The conversations of the sessions this worker spoke in last, so that a call reads only what is new. A view of the chain: losing one costs reading it again. */
export class Talks {
  private readonly known = new Map<string, { head: Hash; talk: Conversation }>();

  /** The conversation of the records of a session, oldest first. */
  of(session: string, past: readonly Link[], read: ReadText): Conversation {
    const before = this.known.get(session);
    const at = before ? past.findLastIndex(({ hash }) => hash === before.head) : -1;
    const talk = before && at >= 0 ? before.talk.copy() : new Conversation(read);
    for (const { record } of past.slice(at + 1)) talk.add(record);
    this.known.delete(session);
    if (past.length > 0) this.known.set(session, { head: past.at(-1)!.hash, talk });
    const oldest = this.known.keys().next();
    if (this.known.size > REMEMBERED_SESSIONS && !oldest.done) this.known.delete(oldest.value);
    return talk;
  }
}
