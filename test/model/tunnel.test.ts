import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { proxyFor } from '../../src/model/proxy.js';
import { tunnelThrough } from '../../src/model/tunnel.js';
import { connectProxy } from './connect-proxy.js';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A server that takes connections and says nothing. */
async function silentPort(): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** How asking for an https endpoint through the proxy at this address ends. */
function failing(address: string): Promise<Error | null> {
  const proxy = proxyFor(new URL('https://models.test'), { https: { value: `http://${address}`, from: 'HTTPS_PROXY' }, http: null, no: '' })!;
  return new Promise((resolve) => tunnelThrough(proxy, undefined, 300)({ hostname: 'models.test', protocol: 'https:', port: '' }, resolve));
}

test('a proxy that says nothing is waited for no longer than the limit', async () => {
  const error = await failing(`127.0.0.1:${await silentPort()}`);
  expect(error).toMatchObject({ name: 'ProxyFailure', status: null, cause: { code: 'ETIMEDOUT', message: 'no answer within 0.3 s' } });
});

test('an endpoint behind the proxy that says nothing to TLS is waited for no longer than the same limit', async () => {
  const proxy = await connectProxy(await silentPort());
  open.push(proxy.close);
  expect(await failing(proxy.address)).toMatchObject({ code: 'ETIMEDOUT', message: 'no answer within 0.3 s' });
  expect(proxy.asked).toHaveLength(1);
});
