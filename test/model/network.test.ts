import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createOpenAiEndpoint, type OpenAiEndpointOptions } from '../../src/model/openai-endpoint.js';
import { answeringSecurely, answeringServer, delta, DONE, stream } from './answering-server.js';
import { connectProxy } from './connect-proxy.js';
import { errorOf, KEY, open, REQUEST } from './endpoint-room.js';

const file = (name: string) => fileURLToPath(new URL(`tls/${name}`, import.meta.url));
const tls = { key: readFileSync(file('test-server.key')), cert: readFileSync(file('test-server.pem')) };
const caFile = file('test-ca.pem');
const fine = stream(delta({ content: 'ok' }, 'stop'), DONE);
const TRUST = 'Name the certificate of its CA with model.caFile, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS.';
const DIRECT = 'Correct the proxy setting, or name the endpoint in NO_PROXY; the session tries again by itself.';

const kept = <T extends { close(): Promise<void> }>(server: T): T => (open.push(server), server);
const secure = async () => kept(await answeringSecurely(tls, fine));
const ask = (baseUrl: string, options: Partial<OpenAiEndpointOptions> = {}) => createOpenAiEndpoint({ baseUrl, apiKey: KEY, stallMs: 5_000, ...options }).complete(REQUEST, { signal: new AbortController().signal });
const via = (address: string, no = '', scheme = 'http'): Partial<OpenAiEndpointOptions> => {
  const setting = { value: `${scheme}://${address}`, from: 'HTTPS_PROXY' };
  return { proxies: { https: setting, http: { ...setting, from: 'HTTP_PROXY' }, no }, caFile };
};

describe('a certificate', () => {
  test('of a CA that nobody here knows is refused, and the remedy named', async () => {
    const { url, port } = await secure();
    const error = await errorOf(ask(url));
    expect(error).toMatchObject({ code: 'model-untrusted', message: `The certificate of 127.0.0.1:${port} is signed by nobody this machine trusts (UNABLE_TO_VERIFY_LEAF_SIGNATURE). ${TRUST}` });
  });

  test('of that CA is trusted once its file is named', async () => {
    const { url } = await secure();
    expect((await ask(url, { caFile })).content).toBe('ok');
  });

  test.each([
    ['gone.pem', "can't be read (ENOENT): correct the path or its permissions."],
    ['test-server.key', 'holds no certificate: give one in PEM form, which begins with -----BEGIN CERTIFICATE-----.'],
  ])('is looked for in the file that is named (%s), and what is wrong with it is said before anything is asked', (name, problem) => {
    expect(() => createOpenAiEndpoint({ baseUrl: 'https://models.test/v1', apiKey: null, stallMs: 1, caFile: file(name), caFrom: 'SSL_CERT_FILE' })).toThrow(`The CA file ${file(name)} (from SSL_CERT_FILE) ${problem}`);
  });

  test('stays trusted by NODE_EXTRA_CA_CERTS when another file is named beside it', async () => {
    const { url } = await secure();
    const before = process.env.NODE_EXTRA_CA_CERTS;
    process.env.NODE_EXTRA_CA_CERTS = caFile;
    try {
      expect((await ask(url, { caFile: file('test-server.pem') })).content).toBe('ok');
    } finally {
      if (before === undefined) delete process.env.NODE_EXTRA_CA_CERTS;
      else process.env.NODE_EXTRA_CA_CERTS = before;
    }
  });

  test('for another name is refused, also behind a proxy', async () => {
    const { port } = await secure();
    const proxy = kept(await connectProxy(port));
    const error = await errorOf(ask(`https://other.test:${port}/v1`, via(proxy.address)));
    expect(error).toMatchObject({ code: 'model-untrusted', message: `The certificate of other.test:${port} is for another name (ERR_TLS_CERT_ALTNAME_INVALID). Set OPENAI_BASE_URL to the name it is for.` });
  });

  test('is not even asked for by a server without TLS', async () => {
    const { port } = kept(await answeringServer(fine));
    const error = await errorOf(ask(`https://127.0.0.1:${port}/v1`));
    expect(error).toMatchObject({ code: 'model-unreachable', message: expect.stringContaining(`127.0.0.1:${port} does not speak TLS on this port: https:// may have to be http://.`) as string });
  });
});

describe('a proxy', () => {
  test('is the way to an https endpoint, and sees neither the key nor what is said', async () => {
    const server = await secure();
    const proxy = kept(await connectProxy(server.port));
    expect((await ask(`https://models.test:${server.port}/v1`, via(proxy.address))).content).toBe('ok');
    expect(proxy.asked.map(({ target }) => target)).toEqual([`models.test:${server.port}`]);
    expect(JSON.stringify(proxy.asked)).not.toContain(KEY.slice(0, 8));
    expect(server.seen[0]!.headers.authorization).toBe(`Bearer ${KEY}`);
  });

  test('is the way to an http endpoint without a key', async () => {
    const server = kept(await answeringServer(fine));
    const proxy = kept(await connectProxy(server.port));
    expect((await ask(`http://models.test:${server.port}/v1`, { ...via(proxy.address), apiKey: null })).content).toBe('ok');
    expect(proxy.asked).toHaveLength(1);
  });

  test('may itself be spoken to over TLS', async () => {
    const server = await secure();
    const proxy = kept(await connectProxy(server.port, { tls }));
    expect((await ask(`https://models.test:${server.port}/v1`, via(proxy.address, '', 'https'))).content).toBe('ok');
    expect(proxy.asked).toHaveLength(1);
  });

  test('gets the name and password of its setting, which no sentence shows', async () => {
    const server = await secure();
    const proxy = kept(await connectProxy(server.port, { credentials: 'anna:geheim@42' }));
    const url = `https://models.test:${server.port}/v1`;
    expect((await ask(url, via(`anna:geheim%4042@${proxy.address}`))).content).toBe('ok');
    const wrong = await errorOf(ask(url, via(`anna:falsch99@${proxy.address}`)));
    expect(wrong).toMatchObject({ code: 'proxy-refused', message: `The proxy ${proxy.address} (from HTTPS_PROXY) answered 407: it does not accept the name and password there. Write HTTPS_PROXY as http://NAME:PASSWORD@${proxy.address}.` });
    expect(`${wrong.stack} ${String((wrong.cause as Error).stack)} ${JSON.stringify(wrong)}`).not.toMatch(/falsch99|anna|YW5uYT/);
    expect((await errorOf(ask(url, via(proxy.address)))).message).toContain('answered 407: it asks for a name and a password.');
  });

  test('that is not there is named, with what to do', async () => {
    const gone = await connectProxy(1);
    await gone.close();
    expect(await errorOf(ask('https://models.test/v1', via(gone.address)))).toMatchObject({ code: 'proxy-unreachable', message: `The proxy ${gone.address} (from HTTPS_PROXY) can't be reached: nothing listens there. ${DIRECT}` });
    expect(await errorOf(ask('https://models.test/v1', via('no-such-host.invalid:3128')))).toMatchObject({ code: 'proxy-unreachable', message: `The proxy no-such-host.invalid:3128 (from HTTPS_PROXY) can't be reached: the host name is not known. ${DIRECT}` });
  });

  test.each([
    [403, 'proxy-refused', 'Ask who runs the proxy, or name the endpoint in NO_PROXY.'],
    [502, 'proxy-unreachable', DIRECT],
  ])('that answers %i is %s', async (status, code, remedy) => {
    const proxy = kept(await connectProxy(1, { status }));
    expect(await errorOf(ask('https://models.test/v1', via(proxy.address)))).toMatchObject({ code, message: `The proxy ${proxy.address} (from HTTPS_PROXY) answered ${status} when asked for the endpoint. ${remedy}` });
  });

  test('is not used for loopback, nor for what NO_PROXY names', async () => {
    const server = await secure();
    const proxy = kept(await connectProxy(server.port));
    expect((await ask(server.url, via(proxy.address))).content).toBe('ok');
    expect((await errorOf(ask('https://nowhere.invalid/v1', via(proxy.address, '.invalid')))).code).toBe('model-unreachable');
    expect(proxy.asked).toEqual([]);
  });

  test.each(['socks5://anna:geheim@proxy:1080', 'http://', 'ftp://proxy'])('that is none (%s) is refused before anything is asked, without its password', (value) => {
    const make = () => createOpenAiEndpoint({ baseUrl: 'https://models.test/v1', apiKey: null, stallMs: 1, proxies: { https: { value, from: 'ALL_PROXY' }, http: null, no: '' } });
    expect(make).toThrow(/^ALL_PROXY is "((?!geheim).)*", which is no address of an http or https proxy: write one such as http:\/\/proxy\.example:3128, or leave it out\.$/);
  });
});
