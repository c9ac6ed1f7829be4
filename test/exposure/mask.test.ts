import { beforeAll, describe, expect, test } from 'vitest';
import { Known } from '../../src/exposure/known.js';
import { NOTHING_HELD, Sensitive } from '../../src/exposure/sensitive.js';
import { lookAt, maskOf } from './mask-room.js';

const people = [
  ['Rose Baker', 'rose.baker@example.org', '+49 170 5550101', '12 Elm Street, Springfield', 'Her dog bit the courier, she wants a refund of the late order'],
  ['Will Qwertyson', 'w.qw@post.example', '+49 170 5550102', '7 Oak Lane, Shelbyville', 'He is moving house in May and asked us not to call'],
  ['Zoë Müller-Lüdenscheid', 'zoe@example.org', '+49 170 5550103', 'Hauptstraße 3, Köln', 'Prefers mail; allergic to peanuts since childhood'],
];
const csv = ['customer,mail,phone,address,note,customer_no,market,amount', ...Array.from({ length: 12 }, (_, i) => `"${people[i % 3]!.map((cell) => cell.replace('"', '""')).join('","')}",${4930184756201 + i},${['EU', 'UK', 'North America'][i % 3]},${(i + 1) * 10.5}`)].join('\n');

let sensitive: Sensitive;
let printed: string;
beforeAll(() => {
  ({ sensitive, printed } = lookAt({ 'customers.csv': csv }));
});
const masked = (text: string, ...said: string[]) => maskOf([sensitive], said).text(text);

describe('a value of the inputs is masked', () => {
  test.each([
    ['a name', 'Rose Baker', /^‹name \w{5}›$/],
    ['a name in capitals', 'ROSE BAKER', /^‹name \w{5}›$/],
    ['a first name that is a word of libraries', 'hello Rose', /^hello ‹name \w{5}›$/],
    ['a name with accents', "['Zoë Müller-Lüdenscheid']", /^\['‹name \w{5}›'\]$/],
    ['a name that is cut', 'Will Qwerty...', /^‹\w+ \w{5}›\.\.\.$/],
    ['a slice of a name', 'Qwerty', /^‹\w+ \w{5}›$/],
    ['a mail address', 'KeyError: rose.baker@example.org', /^KeyError: ‹email \w{5}›$/],
    ['the part before the @', 'rose.baker', /^‹\w+ \w{5}›$/],
    ['a phone number', '+49 170 5550101', /^‹phone \w{5}›$/],
    ['a phone number without spaces', '491705550101', /^‹\w+ \w{5}›$/],
    ['an address', "'12 Elm Street, Springfield'", /^'‹address \w{5}›'$/],
    ['a long id', '4930184756201', /^‹id \w{5}›$/],
    ['a long id as a fraction', '4930184756201.0', /^‹id \w{5}›\.0$/],
    ['a long id in powers of ten', '4.930185e+12', /^‹id \w{5}›$/],
    ['a long id with commas', '4,930,184,756,201', /^‹id \w{5}›$/],
    ['a note', 'Her dog bit the courier, she wants a refund of the late order', /^‹text \w{5}›$/],
    ['a note that is cut', 'Her dog bit the courier, she wants a ref...', /^‹text \w{5}›\.\.\.$/],
    ['three words of a note', 'said: dog bit the', /^said: ‹text \w{5}›$/],
    ['a note of common words', 'He is moving house in May and asked us not to call', /^‹text \w{5}›$/],
    ['words nobody knows', 'Zwxvutq', /^‹text \w{5}›$/],
  ])('%s', (_, text, wanted) => {
    expect(masked(text)).toMatch(wanted);
  });
});

describe('what a model needs stays readable', () => {
  test.each([
    'customer  mail  phone  address  customer_no  note  market  amount',
    'EU  UK  North America',
    '0    10.5\n1    21.0\nName: amount, dtype: float64',
    'count       12.000000\nmean        68.250000\nstd         37.856307',
    '<class \'pandas.core.frame.DataFrame\'>\nRangeIndex: 12 entries, 0 to 11\nData columns (total 8 columns):\n #   Column  Non-Null Count  Dtype  \nmemory usage: 900.0+ bytes',
    'ValueError: Input X contains NaN. NearestNeighbors does not accept missing values encoded as NaN natively.',
    "KeyError: \"['amount_eur'] not in index\"",
    'ModuleNotFoundError: No module named \'polars\'',
    'TypeError: unsupported operand type(s) for +: \'int\' and \'str\'',
    'shape (12, 8), accuracy 0.9312345678901234, seed 42, total 123456789',
    '2024-01-15 10:22:33 and 15.01.2024',
    '(0.5, 12.0]    3\n(12.0, 99.5]   9',
    '1.2e-05  3.4e+06',
  ])('%s', (text) => {
    expect(masked(text, 'amount_eur', 'polars', 'df["shape"], "seed"')).toBe(text);
  });

  test('the look at the inputs, but for what names a person', () => {
    const shown = masked(printed);
    expect(shown.replaceAll(/‹\w+ \w+›/g, '')).toMatch(/^ {2}market +\S+, 3 distinct, values: 'EU' 4, 'UK' 4, 'North America' 4$/m);
    expect(shown).toMatch(/^ {2}amount +float64, 12 distinct, 10\.5 to 126$/m);
    expect(shown).toContain("pd.read_csv('customers.csv')");
  });

  test('what the model wrote itself, or a person', () => {
    expect(masked('Rose has 3 orders', 'df[df.customer.str.startswith("Rose")]')).toBe('Rose has 3 orders');
    expect(masked('rose.baker@example.org', 'print("rose.baker@example.org")')).toBe('rose.baker@example.org');
    expect(masked('Qwertyson kept', 'We mean Will Qwertyson.')).toBe('Qwertyson kept');
  });
});

test('a whole name is masked although its parts are known apart from each other', () => {
  expect(masked('Rose Baker', 'rose = 1', 'baker = 2')).toMatch(/^‹name/);
});

test('equal values get equal placeholders and others do not', () => {
  const [first, second, other] = masked('Rose Baker / ROSE  baker / Will Qwertyson').split(' / ');
  expect(first).toBe(second);
  expect(other).not.toBe(first);
});

test('a placeholder does not tell its value to whom the key of the session is not known', () => {
  expect(maskOf([sensitive], [], 'other').text('Rose Baker')).not.toBe(masked('Rose Baker'));
});

test('text that imitates a placeholder is spelled otherwise', () => {
  expect(masked('‹name aaaaa› and ‹email bbbbb›', 'aaaaa bbbbb')).toBe('<name aaaaa> and <email bbbbb>');
});

test('masking twice changes no more than the placeholders of the first time', () => {
  const once = masked('Rose Baker of 12 Elm Street, Springfield');
  expect(masked(once)).not.toContain('Baker');
});

test('host and guest agree on words and keys in any script', () => {
  const names = ['Иван Петров', '田中太郎', 'Ñandú Ægir', 'Ωmega Ψ', 'İstanbul Şahin', 'a\u0301bc de\u0301f'];
  const look = lookAt({ 'names.csv': `full_name,n\n${names.map((name, i) => `${name},${i}`).join('\n')}\n` }).sensitive;
  for (const name of names) expect(maskOf([look]).text(name), name).toMatch(/^‹name \w{5}›$/);
});

test.each([
  ['words', 'aaaa bbbb '],
  ['the letter @', '@'],
  ['half addresses', 'a@a.'],
  ['digits', '1'],
  ['digit groups', '12 34-'],
  ['capitals and blanks', 'AB12 AB12 '],
  ['plus signs', '+1 (2)3-'],
  ['links', 'http://x/'],
  ['dots', '1.1.1.'],
  ['hexadecimal', 'a1'],
  ['street words', '1 Aaaa Aaaa '],
  ['an address that ends in a slash', `http://${'1'.repeat(1990)}/ `],
  ['values of the inputs', 'Rose Baker, her dog bit '],
])('time is in proportion to the length of %s', (_, piece) => {
  const mask = maskOf([sensitive]);
  const ms = (chars: number) => {
    const text = piece.repeat(Math.ceil(chars / piece.length));
    const runs = [0, 1, 2].map(() => {
      const began = process.cpuUsage();
      mask.text(text);
      return process.cpuUsage(began).user / 1000;
    });
    return Math.min(...runs);
  };
  ms(10_000);
  // Sixteen times the length: quadratic time would be 256 times as much.
  expect(ms(160_000)).toBeLessThan(Math.max(200, ms(10_000) * 64));
});

test('hostile notes are refused whole', () => {
  for (const json of ['', '[]', '{"v":2}', JSON.stringify({ ...NOTHING_HELD, keys: Buffer.from(new Float64Array([2, 1]).buffer).toString('base64'), kindOf: 'AAA=' })]) {
    expect(() => Sensitive.read(json)).toThrow(/malformed/);
  }
});

test('a text is known as it stands only when its words stand in an order that was read', () => {
  const known = new Known();
  known.addAll(['a b c Smith John', 'total is wrong']);
  expect(known.says('total is wrong')).toBe(true);
  expect(known.says('John Smith')).toBe(false);
  expect(known.says('-.-. .--')).toBe(false);
});

test('a text is known as it was read, and not where its words stand otherwise', () => {
  const known = new Known();
  known.addAll({ code: ['print(total_eur)'], n: 3 });
  expect(known.says("'total_eur'")).toBe(true);
  expect(known.says("KeyError: 'total_eur'")).toBe(false);
  expect(known.says('eur_total')).toBe(false);
  expect(known.says('')).toBe(false);
});
