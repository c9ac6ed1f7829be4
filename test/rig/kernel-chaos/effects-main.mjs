// The outside world of a chaos run, as a process of its own: appends texts, each key once, and answers a key it has seen with what it answered
// before. Every write is in the file before it is answered, so it may be killed at any moment. Usage: effects-main.mjs <file> <port>
import { closeSync, existsSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [file, port] = process.argv.slice(2);
const known = new Map();
const counts = new Map();
const note = ({ key, session, text, seq }) => {
  known.set(key, { seq, text });
  counts.set(session, seq);
};
if (existsSync(file)) for (const line of readFileSync(file, 'utf8').split('\n')) if (line.endsWith('}')) note(JSON.parse(line));
const fd = openSync(file, 'a');

createServer((request, response) => {
  let body = '';
  request.on('data', (data) => (body += data));
  request.on('end', () => {
    const { key, session, text } = JSON.parse(body);
    if (!known.has(key)) {
      const effect = { key, session, text, seq: (counts.get(session) ?? 0) + 1 };
      writeSync(fd, `\n${JSON.stringify(effect)}\n`);
      note(effect);
      try {
        // The effect is done and its answer is lost.
        unlinkSync(`${file}.die-before-answer`);
        process.kill(process.pid, 'SIGKILL');
      } catch {
        // Nobody asked for it.
      }
    }
    response.end(JSON.stringify({ seq: known.get(key).seq }));
  });
})
  .listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
  .on('close', () => closeSync(fd));
