import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** What a proxy was asked for. */
export interface Asked {
  target: string;
  headers: IncomingMessage['headers'];
}

/**
 * A real proxy on loopback that takes CONNECT. Every name leads to the same port on loopback, as if it had been resolved there; with a
 * status it refuses instead, with credentials it lets only those through, with a certificate it is spoken to over TLS.
 */
export async function connectProxy(port: number, options: { status?: number; credentials?: string; tls?: { key: Buffer; cert: Buffer } } = {}) {
  const asked: Asked[] = [];
  const sockets = new Set<Socket>();
  const server = options.tls ? createSecureServer(options.tls) : createServer();
  server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    asked.push({ target: request.url!, headers: request.headers });
    const wanted = options.credentials && `Basic ${Buffer.from(options.credentials).toString('base64')}`;
    const status = wanted && request.headers['proxy-authorization'] !== wanted ? 407 : options.status;
    if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const through = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      through.write(head);
      socket.pipe(through).pipe(socket);
    });
    sockets.add(through);
    through.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as AddressInfo).port;
  return {
    asked,
    address: `127.0.0.1:${own}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
