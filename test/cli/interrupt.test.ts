import { expect, test } from 'vitest';
import { Interrupt } from '../../src/cli/interrupt.js';

function scene(interactive: boolean) {
  const did: string[] = [];
  let answer: (value: 'stop' | 'detach' | 'go-on' | null) => void = () => undefined;
  const interrupt = new Interrupt({
    interactive,
    ask: () => {
      did.push('ask');
      return new Promise((resolve) => (answer = resolve));
    },
    stop: () => did.push('stop'),
    detach: () => did.push('detach'),
    leave: () => did.push('leave'),
  });
  const answered = async (value: 'stop' | 'detach' | 'go-on' | null) => {
    answer(value);
    await Promise.resolve();
    await Promise.resolve();
  };
  return { did, interrupt, answered };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('without a terminal %s stops the session, once', (name) => {
  const { did, interrupt } = scene(false);
  interrupt.signal(name);
  expect(did).toEqual(['stop']);
});
test('on a terminal Ctrl-C asks once', async () => {
  const { did, interrupt, answered } = scene(true);
  interrupt.signal('SIGINT');
  expect(did).toEqual(['ask']);
  await answered('detach');
  expect(did).toEqual(['ask', 'detach']);
});
test('a second Ctrl-C stops, and the late answer changes nothing', async () => {
  const { did, interrupt, answered } = scene(true);
  interrupt.signal('SIGINT');
  interrupt.signal('SIGINT');
  await answered('detach');
  expect(did).toEqual(['ask', 'stop']);
});
test('going on asks again at the next Ctrl-C', async () => {
  const { did, interrupt, answered } = scene(true);
  interrupt.signal('SIGINT');
  await answered('go-on');
  interrupt.signal('SIGINT');
  expect(did).toEqual(['ask', 'ask']);
});
test('an end of input at the question stops', async () => {
  const { did, interrupt, answered } = scene(true);
  interrupt.signal('SIGINT');
  await answered(null);
  expect(did).toEqual(['ask', 'stop']);
});
test('SIGTERM on a terminal does not ask', () => {
  const { did, interrupt } = scene(true);
  interrupt.signal('SIGTERM');
  expect(did).toEqual(['stop']);
});
test('one more signal while it is stopping leaves at once', () => {
  const { did, interrupt } = scene(false);
  interrupt.signal('SIGTERM');
  interrupt.signal('SIGINT');
  expect(did).toEqual(['stop', 'leave']);
});
