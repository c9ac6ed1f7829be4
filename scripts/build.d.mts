/** Whether `dist` is current. */
export function isBuilt(root: string): boolean;
/** Builds unless `dist` is current. Returns null, or a sentence that says what is wrong. */
export function buildOnce(root: string): Promise<string | null>;
