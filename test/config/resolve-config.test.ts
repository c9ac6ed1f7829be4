import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { resolveConfig, type ConfigFlags } from '../../src/config.js';
import { packageRoot } from '../../src/config/package-root.js';

let home: string;
let cwd: string;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'nl2code-config-')));
  cwd = join(home, 'projects', 'a');
  mkdirSync(cwd, { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const resolved = (flags: ConfigFlags = {}, env: Record<string, string> = {}) => resolveConfig({ flags, env: { HOME: home, ...env }, cwd });
const yaml = (text: string, folder = cwd) => writeFileSync(join(folder, 'nl2code.config.yaml'), text);
const refusal = (flags: ConfigFlags = {}, env: Record<string, string> = {}): string => {
  try {
    resolved(flags, env);
  } catch (error) {
    expect(error).toMatchObject({ name: 'Nl2codeError', code: 'bad-request' });
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
};

describe('precedence', () => {
  test('nothing given means the defaults', () => {
    expect(resolved()).toEqual({
      dataDir: join(home, '.local/share/nl2code'),
      runtimeDir: join(packageRoot(), '.runtime'),
      namespace: 'default',
      taskQueue: 'nl2code',
      temporal: { mode: 'embedded', port: 0, uiPort: null },
      model: { baseUrl: null, apiKey: null, apiKeyFile: null, name: 'scripted', maxOutputTokens: 8192, contextTokens: 128_000, stallMs: 120_000, temperature: null, caFile: null, caFrom: 'model.caFile', proxies: { https: null, http: null, no: '' }, prices: {} },
      sandbox: { backend: 'process', isolation: 'bubblewrap', pool: 1, leaseMs: 600_000 },
      packDirs: [join(packageRoot(), 'packs')],
      checkpoints: null,
      durability: 'process',
      exposure: { max: 'full' },
      tools: { allow: null },
      defaults: {
        strategy: 'codeact',
        pack: null,
        approval: 'never',
        approvalExpiryMs: 604_800_000,
        exposure: 'masked',
        limits: { cellTimeoutMs: 120_000, scriptTimeoutMs: 300_000, memoryBytes: 2 ** 31, diskBytes: 2 ** 31, maxRepairs: null, stepsPerRun: 75 },
        budget: { maxSteps: 40, maxCostUsd: null, maxTokens: null, deadline: null },
      },
      admission: { allow: [], maxInputBytes: 2_000_000_000, maxPromptChars: 100_000 },
    });
  });

  test('a flag stands over the environment, the environment over the file, the file over the default', () => {
    yaml('taskQueue: from-file\n');
    expect(resolved().taskQueue).toBe('from-file');
    expect(resolved({}, { NL2CODE_TASK_QUEUE: 'from-env' }).taskQueue).toBe('from-env');
    expect(resolved({ taskQueue: 'from-flag' }, { NL2CODE_TASK_QUEUE: 'from-env' }).taskQueue).toBe('from-flag');
  });

  test('one option of a section leaves the others at their defaults', () => {
    yaml('defaults:\n  limits:\n    maxRepairs: 1\n  budget: { maxCostUsd: 0.5 }\n');
    const { defaults } = resolved();
    expect(defaults.limits).toMatchObject({ maxRepairs: 1, stepsPerRun: 75 });
    expect(defaults.budget).toEqual({ maxSteps: 40, maxCostUsd: 0.5, maxTokens: null, deadline: null });
    expect(defaults.strategy).toBe('codeact');
  });

  test('an empty variable is an unset one', () => {
    expect(resolved({}, { NL2CODE_ISOLATION: '', OPENAI_API_KEY: '' })).toEqual(resolved());
  });
});

describe('a folder for saved states', () => {
  const elsewhere = () => {
    mkdirSync(join(home, 'elsewhere'), { recursive: true });
    return join(home, 'elsewhere');
  };

  test('is named by its path, relative to the file', () => {
    elsewhere();
    yaml('checkpoints: { kind: folder, path: ../../elsewhere }\n');
    expect(resolved().checkpoints).toEqual({ kind: 'folder', path: join(home, 'elsewhere') });
    yaml('checkpoints:\n  path: ~/elsewhere\n');
    expect(resolved().checkpoints).toEqual({ kind: 'folder', path: join(home, 'elsewhere') });
  });

  test.each([
    ['without a path', 'checkpoints: { kind: folder }', 'checkpoints names no path: set checkpoints.path to a folder that other hosts have too, or leave checkpoints out.'],
    ['of a kind that does not exist', 'checkpoints: { kind: s3, path: /tmp }', 'checkpoints.kind in'],
  ])('%s is refused with what to do', (_what, text, said) => {
    yaml(`${text}\n`);
    expect(refusal()).toContain(said);
  });

  test('need not be there: a file system that is away holds up no session', () => {
    yaml('checkpoints: { path: /not/there }\n');
    expect(resolved().checkpoints).toEqual({ kind: 'folder', path: '/not/there' });
  });

  test('in the data directory is refused: both would be lost together', () => {
    yaml(`checkpoints: { path: ${JSON.stringify(elsewhere())} }\n`);
    expect(refusal({ dataDir: home })).toContain('which is in the data directory and would be lost with it: name a folder on another disk.');
    expect(refusal({ dataDir: elsewhere() })).toContain('which is in the data directory');
    expect(resolved({ dataDir: `${elsewhere()}-data` }).checkpoints).not.toBeNull();
  });
});

describe('the configuration file', () => {
  test('is found in a parent folder up to home', () => {
    yaml('taskQueue: upper\n', home);
    expect(resolved().taskQueue).toBe('upper');
    yaml('taskQueue: nearer\n');
    expect(resolved().taskQueue).toBe('nearer');
  });

  test('of a parent outside home does not count: it may belong to somebody else', () => {
    yaml('taskQueue: theirs\n', join(home, 'projects'));
    expect(resolveConfig({ env: { HOME: '/nowhere' }, cwd }).taskQueue).toBe('nl2code');
    expect(resolveConfig({ env: { HOME: '/nowhere' }, cwd: join(home, 'projects') }).taskQueue).toBe('theirs');
  });

  test('named by --config stands instead of the one that would be found', () => {
    yaml('taskQueue: found\n');
    writeFileSync(join(cwd, 'other.yaml'), 'taskQueue: named\n');
    expect(resolved({ config: 'other.yaml' }).taskQueue).toBe('named');
    expect(refusal({ config: 'missing.yaml' })).toBe(`The configuration file ${join(cwd, 'missing.yaml')} can't be read (ENOENT): name another with --config.`);
  });

  test('has paths relative to its own folder, and ~', () => {
    yaml('dataDir: data\nadmission: { allow: [~/in, /abs] }\n', home);
    expect(resolved().dataDir).toBe(join(home, 'data'));
    expect(resolved().admission.allow).toEqual([join(home, 'in'), '/abs']);
    expect(resolved({ dataDir: 'data' }).dataDir).toBe(join(cwd, 'data'));
  });

  test('that is empty is no options', () => {
    yaml('# nothing yet\n');
    expect(resolved()).toEqual(resolved({ config: '/dev/null' }));
  });

  test('with an unknown key is refused with the nearest known one', () => {
    yaml('sandbox:\n  isolatoin: none\n');
    expect(refusal()).toBe(`The key "sandbox.isolatoin" in ${join(cwd, 'nl2code.config.yaml')} is not an option: did you mean "sandbox.isolation"?`);
    yaml('taskqueus: x\n');
    expect(refusal()).toContain('did you mean "taskQueue"?');
    yaml('defaults: { budget: { zzzzzzzzzzzzzzzz: 1 } }\n');
    expect(refusal()).toContain('the known keys here are maxSteps, maxCostUsd, maxTokens.');
    yaml('prices: { m: { prompt: 1, completion: 2, cachd: 3 } }\n');
    expect(refusal()).toContain('did you mean "prices.m.cached"?');
  });

  test('with a key named __proto__ changes no prototype', () => {
    yaml('__proto__: { polluted: 1 }\n');
    expect(refusal()).toContain('is not an option');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('with broken YAML or no keys is refused with the place', () => {
    yaml('sandbox: [\n');
    expect(refusal()).toMatch(/is not valid YAML: .* line \d/);
    yaml('just words\n');
    expect(refusal()).toContain('"just words" (text), which is not a section of keys and values');
    yaml('sandbox:\n');
    expect(refusal()).toContain('is null (nothing), which is not a section');
  });
});

describe('wrong configuration fails with value, type, source and remedy', () => {
  test.each<[string, ConfigFlags, Record<string, string>, string]>([
    ['isolation', {}, { NL2CODE_ISOLATION: 'docker' }, 'NL2CODE_ISOLATION is "docker" (text), which is not one of bubblewrap, none; set it to one of bubblewrap, none, or leave it out for the default.'],
    ['durability', { durability: 'disk' }, {}, '--durability is "disk" (text), which is not one of process, host;'],
    ['sandbox', {}, { NL2CODE_SANDBOX: 'docker' }, 'NL2CODE_SANDBOX is "docker" (text), which is not one of process;'],
    ['base URL', {}, { OPENAI_BASE_URL: 'localhost:1234' }, 'OPENAI_BASE_URL is "localhost:1234" (text), which is not a URL that starts with http:// or https://;'],
    ['task queue', { taskQueue: ' ' }, {}, '--task-queue is " " (text), which is not text of at least one character;'],
    ['port', { temporalPort: 70_000 }, {}, '--temporal-port is 70000 (a number), which is not a whole number from 0 to 65,535;'],
    ['not a number', { temporalPort: NaN }, {}, '--temporal-port is NaN (a number)'],
  ])('%s', (_name, flags, env, sentence) => expect(refusal(flags, env)).toContain(sentence));

  test('from the file it names key and file', () => {
    yaml('defaults:\n  limits:\n    cellTimeoutMs: "2m"\n');
    expect(refusal()).toBe(
      `defaults.limits.cellTimeoutMs in ${join(cwd, 'nl2code.config.yaml')} is "2m" (text), which is not a whole number from 100 to 86,400,000; set it to a whole number from 100 to 86,400,000, or leave it out for the default.`,
    );
    yaml('prices: { m: { prompt: -1, completion: 2 } }\n');
    expect(refusal()).toContain('prices.m.prompt in');
  });

  test('a password in a URL is not repeated', () => {
    expect(refusal({}, { OPENAI_BASE_URL: 'ftp://me:secret@host/v1' })).not.toContain('secret');
  });

  test('a packs folder that is not there', () => {
    expect(refusal({}, { NL2CODE_PACKS: 'nope' })).toBe(`The packs folder "${join(cwd, 'nope')}" (from NL2CODE_PACKS) is not a folder: correct the path, or leave it out.`);
  });
});

describe('the data directory', () => {
  test('follows XDG_DATA_HOME, which must be absolute', () => {
    expect(resolved({}, { XDG_DATA_HOME: '/xdg' }).dataDir).toBe('/xdg/nl2code');
    expect(resolved({}, { XDG_DATA_HOME: 'xdg' }).dataDir).toBe(join(home, '.local/share/nl2code'));
  });

  test('without HOME is refused in one sentence, unless it is named', () => {
    const sentence = 'so there is no place for the data directory: set HOME, or name one with --data-dir or NL2CODE_DATA_DIR.';
    expect(() => resolveConfig({ env: {}, cwd })).toThrow(`HOME is not set, ${sentence}`);
    expect(() => resolveConfig({ env: { HOME: 'rel' }, cwd })).toThrow(`HOME is "rel", ${sentence}`);
    expect(resolveConfig({ env: { NL2CODE_DATA_DIR: '/data' }, cwd }).dataDir).toBe('/data');
  });
});

describe('the model', () => {
  const model = (env: Record<string, string>, flags: ConfigFlags = {}) => {
    const { baseUrl, apiKey, name } = resolved(flags, env).model;
    return { baseUrl, apiKey, name };
  };

  test('a key alone means OpenAI', () => expect(model({ OPENAI_API_KEY: 'k' })).toEqual({ baseUrl: 'https://api.openai.com/v1', apiKey: 'k', name: 'gpt-4.1' }));
  test('a base URL needs no key', () => expect(model({ OPENAI_BASE_URL: 'http://127.0.0.1:1/v1/', NL2CODE_MODEL: 'm' })).toEqual({ baseUrl: 'http://127.0.0.1:1/v1', apiKey: null, name: 'm' }));
  test('named scripted is the scripted model whatever the environment holds', () =>
    expect(model({ OPENAI_API_KEY: 'k', NL2CODE_MODEL: 'm' }, { model: 'scripted' })).toEqual({ baseUrl: null, apiKey: null, name: 'scripted' }));
  test('a name without an endpoint is kept, for admission to refuse', () => expect(model({ NL2CODE_MODEL: 'm' })).toEqual({ baseUrl: null, apiKey: null, name: 'm' }));

  test('a key may come from a file, and the variable stands over it', () => {
    writeFileSync(join(cwd, 'key'), ' from-file\n');
    expect(model({ OPENAI_API_KEY_FILE: 'key' }).apiKey).toBe('from-file');
    expect(model({ OPENAI_API_KEY_FILE: 'key', OPENAI_API_KEY: 'k' }).apiKey).toBe('k');
    yaml('model: { apiKeyFile: key }\n');
    expect(model({}).apiKey).toBe('from-file');
  });

  test('a key file that holds no key is refused without its content', () => {
    expect(refusal({}, { OPENAI_API_KEY_FILE: 'none' })).toBe(`The key file ${join(cwd, 'none')} (from OPENAI_API_KEY_FILE) can't be read (ENOENT): correct the path or its permissions.`);
    writeFileSync(join(cwd, 'two'), 'secret one');
    expect(refusal({}, { OPENAI_API_KEY_FILE: 'two' })).toMatch(/^((?!secret).)*does not hold one key((?!secret).)*$/);
  });

  test('further CAs come from a file, by option or SSL_CERT_FILE, where an endpoint is configured', () => {
    const env = { OPENAI_BASE_URL: 'https://models.example/v1' };
    expect(resolved({}, { ...env, SSL_CERT_FILE: 'ca.pem' }).model.caFile).toBe(join(cwd, 'ca.pem'));
    yaml('model: { caFile: ca.pem, temperature: 0.2 }\n');
    expect(resolved({}, env).model).toMatchObject({ caFile: join(cwd, 'ca.pem'), temperature: 0.2 });
    expect(resolved({}, { SSL_CERT_FILE: 'none.pem' }).model.caFile).toBeNull();
    // It is read by what speaks to the endpoint.
    expect(resolved({}, { ...env, SSL_CERT_FILE: 'none.pem' }).model).toMatchObject({ caFile: join(cwd, 'none.pem'), caFrom: 'SSL_CERT_FILE' });
  });

  test('a cached price defaults to the full one', () => {
    yaml('prices: { gpt-4.1: { prompt: 2, completion: 8 }, free: { prompt: 0, cached: 0, completion: 0 } }\n');
    expect(resolved().model.prices).toEqual({ 'gpt-4.1': { prompt: 2, cached: 2, completion: 8 }, free: { prompt: 0, cached: 0, completion: 0 } });
  });
});

describe('packs', () => {
  test('./packs counts where it exists, and the own packs come last', () => {
    mkdirSync(join(cwd, 'packs'));
    expect(resolved().packDirs).toEqual([join(cwd, 'packs'), join(packageRoot(), 'packs')]);
  });

  test('several folders are given as a path list', () => {
    mkdirSync(join(cwd, 'p'));
    mkdirSync(join(cwd, 'q'));
    expect(resolved({}, { NL2CODE_PACKS: `p:${join(cwd, 'q')}` }).packDirs).toEqual([join(cwd, 'p'), join(cwd, 'q'), join(packageRoot(), 'packs')]);
  });
});

test('a configuration file that can not be read is one sentence', () => {
  yaml('taskQueue: x\n');
  chmodSync(join(cwd, 'nl2code.config.yaml'), 0);
  mkdirSync(join(cwd, 'folder.yaml'));
  expect(refusal({ config: 'folder.yaml' })).toContain("can't be read (EISDIR)");
});
