import { connect, createServer } from 'node:net';

/** The embedded server listens to this machine alone. */
export const LOOPBACK = '127.0.0.1';

/** Whether something accepts connections at that port of this machine. Quick: a gRPC client would take a second to notice. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, LOOPBACK);
    const end = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.setTimeout(1000, () => end(true));
    socket.on('connect', () => end(true)).on('error', () => end(false));
  });
}

/** A port that nobody uses at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, LOOPBACK, () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
