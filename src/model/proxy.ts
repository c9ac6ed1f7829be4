import { BlockList, isIP } from 'node:net';
import { Nl2codeError } from '../session/error-table.js';

/** The proxy settings of an environment, as they stand there. May hold credentials: never log them. */
export interface Proxies {
  /** For https endpoints; null for none. */
  https: ProxySetting | null;
  /** For http endpoints; null for none. */
  http: ProxySetting | null;
  /** What goes there directly. */
  no: string;
}

export interface ProxySetting {
  value: string;
  /** Name of the variable. */
  from: string;
}

/** A proxy as it is connected to. Only `address` and `from` may be shown. */
export interface Proxy {
  secure: boolean;
  host: string;
  port: number;
  /** Value of `Proxy-Authorization`; null where the setting holds no credentials. */
  authorization: string | null;
  /** Host and port, for sentences. */
  address: string;
  from: string;
}

/** The proxy on the way to an address, or null for none: loopback and what NO_PROXY names is reached directly. Throws `bad-request` for a setting that is no proxy. Pure. */
export function proxyFor(url: URL, proxies?: Proxies): Proxy | null {
  const setting = proxies && (url.protocol === 'https:' ? proxies.https : proxies.http);
  if (!setting || isDirect(url, proxies.no)) return null;
  const { value, from } = setting;
  const address = /^[a-z][\w+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const parsed = URL.canParse(address) ? new URL(address) : null;
  if (!parsed?.hostname || !/^https?:$/.test(parsed.protocol)) {
    // Credentials before an @ stay out of the sentence.
    const shown = JSON.stringify(value.replace(/^([a-z][\w+.-]*:\/\/)?.*@/is, '$1…@').slice(0, 80));
    throw new Nl2codeError('bad-request', `${from} is ${shown}, which is no address of an http or https proxy: write one such as http://proxy.example:3128, or leave it out.`, { remedy: '' });
  }
  const secure = parsed.protocol === 'https:';
  const port = Number(parsed.port) || (secure ? 443 : 80);
  const credentials = parsed.username || parsed.password ? `${plain(parsed.username)}:${plain(parsed.password)}` : null;
  return {
    secure,
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port,
    authorization: credentials === null ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
    address: `${parsed.hostname}:${port}`,
    from,
  };
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isDirect(url: URL, no: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(\.\d+){3}$/.test(host)) return true;
  return no.split(/[\s,]+/).filter(Boolean).some((entry) => matches(entry.toLowerCase(), host, port));
}

/** `*`, a domain with or without a dot before it, an address, a range such as 10.0.0.0/8, each with or without a port. */
function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const range = /^\[?([\da-f.:]+?)\]?\/(\d+)$/.exec(entry);
  if (range) return inRange(host, range[1]!, Number(range[2]));
  const [, name = entry, only] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const domain = name.replace(/^\*?\./, '').replace(/^\[|\]$/g, '');
  return domain !== '' && (host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`)));
}

function inRange(host: string, network: string, prefix: number): boolean {
  const version = isIP(network);
  if (version === 0 || isIP(host) !== version || prefix > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(host, family);
}
