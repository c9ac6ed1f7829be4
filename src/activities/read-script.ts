import type { SessionFolder } from '../store/session-store.js';
/** placeholder until artifact reader lands */
export function readScript(_folder: SessionFolder, _path: string): string | null { return null; }
