import type { Proxies, ProxySetting } from '../model/proxy.js';

/** The proxy variables of an environment. Of two spellings the lower-case one counts, as in curl; ALL_PROXY stands in for a missing one. Pure. */
export function proxySettings(env: Record<string, string | undefined>): Proxies {
  const find = (...names: string[]): ProxySetting | null => {
    const from = names.flatMap((name) => [name.toLowerCase(), name]).find((name) => env[name]?.trim());
    return from === undefined ? null : { value: env[from]!.trim(), from };
  };
  return { https: find('HTTPS_PROXY', 'ALL_PROXY'), http: find('HTTP_PROXY', 'ALL_PROXY'), no: env.no_proxy ?? env.NO_PROXY ?? '' };
}
