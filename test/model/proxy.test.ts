import { expect, test } from 'vitest';
import { proxySettings } from '../../src/config/proxy-settings.js';
import { proxyFor } from '../../src/model/proxy.js';

const used = (url: string, env: Record<string, string>) => proxyFor(new URL(url), proxySettings(env))?.address ?? null;

test.each<[string, string, Record<string, string>, string | null]>([
  ['https by HTTPS_PROXY', 'https://a.example', { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://q:2' }, 'p:1'],
  ['http by HTTP_PROXY', 'http://a.example', { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://q:2' }, 'q:2'],
  ['the lower-case spelling first', 'https://a.example', { HTTPS_PROXY: 'http://p:1', https_proxy: 'http://lower:3' }, 'lower:3'],
  ['ALL_PROXY where there is no other', 'https://a.example', { all_proxy: 'http://all:4' }, 'all:4'],
  ['a proxy without a scheme, at its usual port', 'https://a.example', { HTTPS_PROXY: 'p' }, 'p:80'],
  ['an https proxy at its usual port', 'https://a.example', { HTTPS_PROXY: 'https://p' }, 'p:443'],
  ['none for an empty variable', 'https://a.example', { HTTPS_PROXY: '  ' }, null],
  ['none for localhost', 'http://localhost:8000', { HTTP_PROXY: 'http://p:1' }, null],
  ['none for loopback', 'http://127.0.0.2:8000', { HTTP_PROXY: 'http://p:1' }, null],
  ['none for loopback of IPv6', 'http://[::1]:8000', { HTTP_PROXY: 'http://p:1' }, null],
  ['none for *', 'https://a.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*' }, null],
  ['none for a name in the list', 'https://a.example', { HTTPS_PROXY: 'http://p:1', no_proxy: 'b.example, a.example' }, null],
  ['none below a domain in the list', 'https://a.corp.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'corp.example' }, null],
  ['none below a domain with a dot', 'https://a.corp.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '.corp.example' }, null],
  ['none below a domain with a star', 'https://a.corp.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: '*.corp.example' }, null],
  ['one for a name that only ends alike', 'https://notcorp.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'corp.example' }, 'p:1'],
  ['none at a port in the list', 'https://a.example:8443', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a.example:8443' }, null],
  ['one at another port', 'https://a.example', { HTTPS_PROXY: 'http://p:1', NO_PROXY: 'a.example:8443' }, 'p:1'],
  ['none in a range', 'http://10.1.2.3', { HTTP_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/8' }, null],
  ['one outside it', 'http://11.1.2.3', { HTTP_PROXY: 'http://p:1', NO_PROXY: '10.0.0.0/8' }, 'p:1'],
  ['none in a range of IPv6', 'http://[fd00::1]', { HTTP_PROXY: 'http://p:1', NO_PROXY: 'fd00::/8' }, null],
])('%s', (_name, url, env, address) => expect(used(url, env)).toBe(address));
