import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { Nl2codeError } from '../session/error-table.js';

/** The certificates of a PEM file; empty when it holds none that can be read. Throws what reading throws. */
export function certificatesIn(path: string): string[] {
  const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.filter((pem) => {
    try {
      return new X509Certificate(pem).raw.length > 0;
    } catch {
      return false;
    }
  });
}

/** The certificates of a file that an option names. Throws `bad-request` with one sentence for a file that can't be read or holds none. Reads the disk. */
export function namedCertificates(path: string, from: string): string[] {
  let found: string[];
  try {
    found = certificatesIn(path);
  } catch (error) {
    throw new Nl2codeError('bad-request', `The CA file ${path} (from ${from}) can't be read (${(error as NodeJS.ErrnoException).code}): correct the path or its permissions.`, { cause: error, remedy: '' });
  }
  if (found.length > 0) return found;
  throw new Nl2codeError('bad-request', `The CA file ${path} (from ${from}) holds no certificate: give one in PEM form, which begins with -----BEGIN CERTIFICATE-----.`, { remedy: '' });
}

/** Everything that is trusted: what Node trusts of itself, what NODE_EXTRA_CA_CERTS adds, and the certificates of a file. Throws as `namedCertificates` does. Reads the disk. */
export function trustedWith(path: string, from: string): string[] {
  const newer = tls as { getCACertificates?: (kind: 'default') => string[] };
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const own = newer.getCACertificates?.('default') ?? [...tls.rootCertificates, ...(extra ? quietly(extra) : [])];
  return [...own, ...namedCertificates(path, from)];
}

/** Node itself warns of an extra file that it can't read, and goes on. */
function quietly(path: string): string[] {
  try {
    return certificatesIn(path);
  } catch {
    return [];
  }
}
