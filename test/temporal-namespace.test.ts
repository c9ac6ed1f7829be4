import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namespaceText } from '../src/cli/check-namespace.js';
import { packageRoot } from '../src/config/package-root.js';
import { attributesOff, missingAttributes, SEARCH_ATTRIBUTES, type Services } from '../src/temporal-namespace.js';

/** A namespace with these search attributes, by the numbers of their types. */
const having = (customAttributes: Record<string, number>): Services => ({ withDeadline: (_: number, call: () => unknown) => call(), operatorService: { listSearchAttributes: async () => ({ customAttributes }) }, workflowService: {} }) as never;

test('what a namespace lacks is told with the commands that register it, one per type', async () => {
  const missing = await missingAttributes(having({ Nl2codeStrategy: 2, Other: 2 }), 'prod');
  expect(attributesOff(missing, 'prod')).toBe(
    "search attributes are off in namespace prod, so Temporal's own lists can't filter sessions: register them with temporal operator search-attribute create --namespace prod --name Nl2codeStatus --type Keyword && temporal operator search-attribute create --namespace prod --name Nl2codeLabels --type KeywordList && temporal operator search-attribute create --namespace prod --name Nl2codeCostUsd --type Double",
  );
});

test('an attribute of another type counts as missing and is named', async () => {
  const missing = await missingAttributes(having({ Nl2codeStatus: 1, Nl2codeStrategy: 2, Nl2codeLabels: 7, Nl2codeCostUsd: 4 }), 'prod');
  expect(missing).toEqual([{ name: 'Nl2codeStatus', type: 'Keyword', has: 'Text' }]);
  expect(attributesOff(missing, 'prod')).toContain('Nl2codeStatus is there as Text, not Keyword, and has to be removed first');
  expect(await missingAttributes(having({ Nl2codeStatus: 2, Nl2codeStrategy: 2, Nl2codeLabels: 7, Nl2codeCostUsd: 4 }), 'prod')).toEqual([]);
});

test('doctor tells how long runs are kept', () => {
  expect(namespaceText('prod', { retentionMs: 86_400_000, missing: [] })).toBe('prod: finished runs are kept for 1 day, sessions for good; search attributes are registered');
});

test('the guide registers exactly the attributes there are', () => {
  const guide = readFileSync(join(packageRoot(), 'docs/operations.md'), 'utf8');
  const shown = [...guide.matchAll(/^temporal operator search-attribute create (.*) --type (\w+)$/gm)].flatMap(([, names, type]) => [...names!.matchAll(/--name (\w+)/g)].map(([, name]) => `${name}=${type}`));
  expect(shown).toEqual(SEARCH_ATTRIBUTES);
});
