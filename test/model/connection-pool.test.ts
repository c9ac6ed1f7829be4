import { expect, test } from 'vitest';
import { connectionPool } from '../../src/model/connection-pool.js';
import { answeringServer, status } from './answering-server.js';

test('sets the limit on silence that fetch has, and none when asked for none', async () => {
  const server = await answeringServer(
    (response, seen) => void setTimeout(() => status(200, {})(response, seen), 3_000),
  );
  const get = (silenceMs?: number) => fetch(server.url, { dispatcher: connectionPool({ silenceMs }) } as RequestInit);
  const [short, none] = await Promise.allSettled([get(100), get()]);
  expect(short).toMatchObject({ status: 'rejected', reason: { cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } } });
  expect(none).toMatchObject({ status: 'fulfilled', value: { status: 200 } });
  await server.close();
});
