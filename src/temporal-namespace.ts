import type { ConnectionLike } from '@temporalio/client';
import { COST, LABELS, STATUS, STRATEGY } from './workflows/search-attributes.js';

/** A connection of the client's kind or of the worker's. */
export type Services = Pick<ConnectionLike, 'workflowService' | 'operatorService' | 'withDeadline'>;

/** A search attribute of ours that a namespace does not have; `has` is the other type it has it with. */
export interface MissingAttribute {
  name: string;
  type: string;
  has?: string;
}

/** What a namespace keeps and knows. */
export interface NamespaceReport {
  /** How long Temporal keeps a run that is over; null when it does not say. */
  retentionMs: number | null;
  missing: MissingAttribute[];
}

/** Temporal's names of types, by their number in its protocol. */
const TYPES = ['', 'Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList'];
const OURS = [STATUS, STRATEGY, LABELS, COST].map(({ name, type }) => ({ name, type: { KEYWORD: 'Keyword', DOUBLE: 'Double', KEYWORD_LIST: 'KeywordList' }[type as 'KEYWORD' | 'DOUBLE' | 'KEYWORD_LIST'] }));

/** Our search attributes as `Name=Type`, as the dev server takes them. */
export const SEARCH_ATTRIBUTES: readonly string[] = OURS.map(({ name, type }) => `${name}=${type}`);

/** How long the embedded server keeps runs that are over. */
export const EMBEDDED_RETENTION_MS = 30 * 86_400_000;
/** The dev server's own default: Temporal's lists would be empty after a weekend. */
const UNTOUCHED_MS = 86_400_000;

const CALL_MS = 3_000;

/** Which of our search attributes the namespace lacks. Throws when the server does not answer or does not tell. */
export async function missingAttributes(connection: Services, namespace: string): Promise<MissingAttribute[]> {
  const { customAttributes } = await connection.withDeadline(Date.now() + CALL_MS, () => connection.operatorService.listSearchAttributes({ namespace }));
  return OURS.map((ours) => ({ ...ours, has: TYPES[customAttributes?.[ours.name] ?? 0] || undefined }))
    .filter(({ type, has }) => type !== has)
    .map(({ has, ...ours }) => (has === undefined ? ours : { ...ours, has }));
}

/** What the namespace keeps and knows. Throws when the server does not answer or has no such namespace. */
export async function readNamespace(connection: Services, namespace: string): Promise<NamespaceReport> {
  const { config } = await connection.withDeadline(Date.now() + CALL_MS, () => connection.workflowService.describeNamespace({ namespace }));
  const ttl = config?.workflowExecutionRetentionTtl;
  return { retentionMs: ttl ? Number(ttl.seconds) * 1000 : null, missing: await missingAttributes(connection, namespace).catch(() => OURS) };
}

/** Makes the embedded server's namespace ours: registers what it lacks, and lengthens its retention; one that somebody has set stands. */
export async function prepareNamespace(connection: Services, namespace: string): Promise<void> {
  const { retentionMs, missing } = await readNamespace(connection, namespace);
  const within = <T>(call: () => Promise<T>) => connection.withDeadline(Date.now() + CALL_MS, call);
  // The dev server registers what it is started with in a new database only.
  const searchAttributes = Object.fromEntries(missing.filter(({ has }) => has === undefined).map(({ name, type }) => [name, TYPES.indexOf(type)]));
  if (Object.keys(searchAttributes).length > 0) await within(() => connection.operatorService.addSearchAttributes({ namespace, searchAttributes }));
  if (retentionMs !== UNTOUCHED_MS) return;
  const config = { workflowExecutionRetentionTtl: { seconds: (EMBEDDED_RETENTION_MS / 1000) as never } };
  await within(() => connection.workflowService.updateNamespace({ namespace, config }));
}

/** One sentence for people whose namespace lacks search attributes: what is off, and the commands that change it. Pure. */
export function attributesOff(missing: readonly MissingAttribute[], namespace: string): string {
  const commands = [...new Set(missing.map(({ type }) => type))].map((type) => {
    const names = missing.filter((each) => each.type === type && each.has === undefined).map(({ name }) => `--name ${name} `);
    return names.length === 0 ? [] : [`temporal operator search-attribute create --namespace ${namespace} ${names.join('')}--type ${type}`];
  });
  const taken = missing.flatMap(({ name, type, has }) => (has === undefined ? [] : [`${name} is there as ${has}, not ${type}, and has to be removed first`]));
  return `search attributes are off in namespace ${namespace}, so Temporal's own lists can't filter sessions: ${[...taken, ...(commands.flat().length > 0 ? [`register them with ${commands.flat().join(' && ')}`] : [])].join('; ')}`;
}
