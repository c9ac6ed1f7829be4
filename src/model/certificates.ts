import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';

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

/** Everything that is trusted: what Node trusts of itself, what NODE_EXTRA_CA_CERTS adds, and the certificates of a file. Reads the disk. */
export function trustedWith(path: string): string[] {
  const newer = tls as { getCACertificates?: (kind: 'default') => string[] };
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  const own = newer.getCACertificates?.('default') ?? [...tls.rootCertificates, ...(extra ? quietly(extra) : [])];
  return [...own, ...certificatesIn(path)];
}

/** Node itself warns of an extra file that it can't read, and goes on. */
function quietly(path: string): string[] {
  try {
    return certificatesIn(path);
  } catch {
    return [];
  }
}
