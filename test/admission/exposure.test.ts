import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { followingExposure, type resolveExposure } from '../../src/admission/exposure.js';
import { exposureOf, type Exposure } from '../../src/session/exposure.js';
import { admissionRoom } from './admission-room.js';

const room = admissionRoom();
const configured = (max: Exposure, usual: Exposure = 'schema') => ({ exposure: { max }, defaults: { exposure: usual } }) as Parameters<typeof resolveExposure>[1];

test('an input may say its own exposure, and the strictest of a request holds', async () => {
  room.file('a.csv', 'x\n1\n');
  room.file('b.csv', 'y\n1\n');
  const request = await room.admit({ inputs: [{ path: 'a.csv', exposure: 'schema' }, 'b.csv'] });
  expect(request.inputs).toMatchObject([{ name: 'a.csv', exposure: 'schema' }, { name: 'b.csv' }]);
  expect(request.inputs[1]).not.toHaveProperty('exposure');
  expect(exposureOf(request)).toBe('schema');
  expect(exposureOf({ ...request, inputs: [], exposure: 'full' })).toBe('full');
});

test('a request that says nothing, as one of another language may, shows what is masked', () => {
  expect(exposureOf({ inputs: [] })).toBe('masked');
});

describe('the operator has the last word', () => {
  test('in the configuration file', async () => {
    writeFileSync(join(room.cwd, 'nl2code.config.yaml'), 'exposure:\n  max: masked\n');
    expect(await room.refusal({ exposure: 'full' })).toEqual({ code: 'bad-request', message: 'The exposure "full" shows more than exposure.max of the configuration allows, which is "masked": ask for masked or less.' });
    expect((await room.refusal({ inputs: [{ path: 'a.csv', exposure: 'full' }] })).message).toBe('The exposure of "a.csv" "full" shows more than exposure.max of the configuration allows, which is "masked": ask for masked or less.');
    expect((await room.admit({ exposure: 'schema' })).exposure).toBe('schema');
  });

  test('also over the default', async () => {
    writeFileSync(join(room.cwd, 'nl2code.config.yaml'), 'exposure:\n  max: schema\n');
    expect((await room.admit({})).exposure).toBe('schema');
    writeFileSync(join(room.cwd, 'nl2code.config.yaml'), 'exposure:\n  max: schema\ndefaults:\n  exposure: full\n');
    expect(() => room.admit({})).toThrow(/^defaults\.exposure is "full", which shows more than exposure\.max, "schema", allows/);
  });
});

test.each([
  [{ exposure: 'everything' as never }, 'The exposure "everything" is not known: choose one of schema, masked, full.'],
  [{ inputs: [{ path: 'a.csv', exposure: 'no' as never }] }, 'The exposure of "a.csv" "no" is not known: choose one of schema, masked, full.'],
  [{ inputs: [{ path: 7 as never }] }, 'The path of an input is 7: give the path of a file.'],
  [{ inputs: [{ path: 'a.csv', level: 'schema' } as never] }, 'An input has the unknown key "level": the known keys are path, exposure.'],
])('%j is refused with one sentence', async (options, sentence) => {
  expect((await room.refusal(options)).message).toBe(sentence);
});

describe('a follow-up', () => {
  test('keeps what its session showed, or shows more where it may', () => {
    expect(followingExposure(undefined, 'masked', configured('full'))).toBe('masked');
    expect(followingExposure('full', 'masked', configured('full'))).toBe('full');
    expect(() => followingExposure('full', 'schema', configured('masked'))).toThrow(/exposure\.max/);
  });

  test('is not stricter than what its session has sent, which it would send again', () => {
    expect(() => followingExposure('masked', 'full', configured('full'))).toThrow("The session has shown its model data under exposure full, and a follow-up sends that again, so it can't be masked: start a new session for masked.");
    // The operator has lowered the most since.
    expect(() => followingExposure(undefined, 'full', configured('masked'))).toThrow(/start a new session/);
  });
});
