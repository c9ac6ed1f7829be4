/** A value that survives `JSON.parse(JSON.stringify(x))`. Pure data; may cross every border. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Lower-case hex SHA-256 of the exact bytes of a blob or record, 64 characters. A hash is a name inside one session, never authority. */
export type Hash = string;

/** Text that is small enough to live in its record, or the hash of the blob that holds it. */
export type TextRef = { text: string } | { hash: Hash };
