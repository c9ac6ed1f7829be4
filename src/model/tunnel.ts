import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestSecure } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Proxy } from './proxy.js';

/** A proxy that does not answer, or does not let through. The message names no credentials. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure';
  constructor(
    readonly proxy: Proxy,
    /** Status it refused with; null when it can't be reached. */
    readonly status: number | null,
    cause?: unknown,
  ) {
    super(status === null ? `the proxy ${proxy.address} can't be reached` : `the proxy ${proxy.address} answered ${status}`, { cause });
  }
}

/** What the pool asks a connector for. */
export interface Destination {
  hostname: string;
  protocol: string;
  port: string;
}

type Done = (error: Error | null, socket: Socket | null) => void;

const CONNECT_MS = 10_000;

/**
 * A connector of the pool that goes through a proxy by CONNECT, also to an http endpoint: an https endpoint is spoken to through it, its TLS
 * ends at the endpoint. It has `limitMs` for all of that.
 */
export function tunnelThrough(proxy: Proxy, ca: string[] | undefined, limitMs = CONNECT_MS): (to: Destination, done: Done) => void {
  return ({ hostname, protocol, port }, done) => {
    const path = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
    const asking = (proxy.secure ? requestSecure : requestPlain)({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path,
      agent: false,
      headers: { host: path, ...(proxy.authorization && { 'proxy-authorization': proxy.authorization }) },
      ...(ca && { ca }),
    });
    let awaited: { destroy(error: Error): unknown } = asking;
    const limit = setTimeout(() => awaited.destroy(Object.assign(new Error(`no answer within ${limitMs / 1000} s`), { code: 'ETIMEDOUT' })), limitMs);
    const end: Done = (error, socket) => {
      clearTimeout(limit);
      done(error, socket);
    };
    asking.once('error', (error) => end(new ProxyFailure(proxy, null, error), null));
    asking.once('connect', (response: IncomingMessage, socket: Socket, head: Buffer) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        return end(new ProxyFailure(proxy, response.statusCode ?? 0), null);
      }
      if (head.length > 0) socket.unshift(head);
      if (protocol !== 'https:') return end(null, socket);
      const host = hostname.replace(/^\[|\]$/g, '');
      const secured = connectTls({ socket, host, ...(isIP(host) === 0 && { servername: host }), ALPNProtocols: ['http/1.1'], ...(ca && { ca }) });
      awaited = secured;
      const failed = (error: Error) => end(error, null);
      secured.once('error', failed).once('secureConnect', () => {
        secured.off('error', failed);
        end(null, secured);
      });
    });
    asking.end();
  };
}
