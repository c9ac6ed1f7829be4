/** The oldest versions that work of what is not ours to install. Set-up says the same in scripts/. */
const OLDEST = { Node: [20, 19], Python: [3, 11] } as const;

/** What is wrong with a version and how to mend it ("18.20.4 is too old: install Node 20.19 or newer"), or null when it fits. Pure, and read by any Node. */
export function tooOld(what: keyof typeof OLDEST, version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST[what];
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return null;
  return `${version} is too old: install ${what} ${oldestMajor}.${oldestMinor} or newer`;
}
