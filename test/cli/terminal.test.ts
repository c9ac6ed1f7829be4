import { expect, test } from 'vitest';
import { createTerminal } from '../../src/cli/terminal.js';

function streams(isTTY: boolean, env: Record<string, string> = {}) {
  const written = { out: '', err: '' };
  const terminal = createTerminal({
    stdin: { isTTY },
    stdout: { isTTY, columns: 20, write: (text) => (written.out += text) },
    stderr: { isTTY, columns: 20, write: (text) => (written.err += text) },
    env,
  });
  return { terminal, written };
}

test('without a terminal there are no colours and no live line', () => {
  const { terminal, written } = streams(false);
  terminal.live('working');
  terminal.note('done', 'bad');
  terminal.out(terminal.paint('ok', 'good'));
  expect(written).toEqual({ out: 'ok\n', err: 'done\n' });
  expect(terminal.interactive).toBe(false);
});

test('on a terminal the live line gives way to whole lines', () => {
  const { terminal, written } = streams(true);
  terminal.live('working');
  terminal.note('done');
  terminal.live(null);
  expect(written.err).toBe('\u001b[2mworking\u001b[0m\r\u001b[Kdone\n');
});

test('the live line never wraps', () => {
  const { terminal, written } = streams(true, { NO_COLOR: '1' });
  terminal.live('x'.repeat(50));
  expect(written.err).toBe(`${'x'.repeat(18)}…`);
});

test('NO_COLOR takes the colours, not the live line', () => {
  const { terminal, written } = streams(true, { NO_COLOR: '1' });
  terminal.note('done', 'bad');
  expect(terminal.paint('a', 'good')).toBe('a');
  terminal.live('x');
  expect(written.err).toBe('done\nx');
});
