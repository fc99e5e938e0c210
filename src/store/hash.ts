/**
 * Hashes of a stream: by the host where it has them, else by @noble/hashes, as WebCrypto takes whole files only.
 * @module
 */
import type { HubFile } from './store.ts';

interface Hash {
  update(bytes: Uint8Array): unknown;
  /** The hash in hexadecimal digits. */
  hex(): string;
}

interface NodeHash {
  update(bytes: Uint8Array): unknown;
  digest(form: 'hex'): string;
}

async function hash(kind: 'sha256' | 'sha1'): Promise<Hash> {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  const api = host.process?.getBuiltinModule?.('node:crypto') as { createHash?(kind: string): NodeHash } | undefined;
  if (api?.createHash) {
    const own = api.createHash(kind);
    return { update: (bytes) => own.update(bytes), hex: () => own.digest('hex') };
  }
  const own = kind === 'sha256'
    ? (await import('@noble/hashes/sha2.js')).sha256.create()
    : (await import('@noble/hashes/legacy.js')).sha1.create();
  return {
    update: (bytes) => own.update(bytes),
    hex: () => [...own.digest()].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  };
}

/**
 * What verifies the content of a file against the name that the hub gave it.
 * @returns null where that name is not a hash, as mirrors have it
 */
export async function verifierOf({ etag, size }: HubFile): Promise<Hash | null> {
  if (/^[0-9a-f]{64}$/.test(etag)) return await hash('sha256');
  if (!/^[0-9a-f]{40}$/.test(etag)) return null;
  const blob = await hash('sha1');
  blob.update(new TextEncoder().encode(`blob ${size}\0`));
  return blob;
}
