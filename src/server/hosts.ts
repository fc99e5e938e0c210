/**
 * Who may ask: names that this server answers to, and pages that may call it.
 * @module
 */

/** A host as it stands in the header of a request: a name or an address, and perhaps a port. */
const HOST = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9._-]{1,253}))(?::\d{1,5})?$/i;
const ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** The name or address of a `Host` header, in lower case; null where it is none. */
export function hostName(header: string | null | undefined): string | null {
  const [, v6, name] = HOST.exec(header ?? '') ?? [];
  return (v6 ?? name)?.toLowerCase() ?? null;
}

/**
 * Whether a request for this host may be answered. A page of a stranger whose name is made to point here (DNS rebinding) asks for
 * its own name: addresses and `localhost` are never such, other names have to be listed.
 */
export function hostAllowed(header: string | null | undefined, listed: readonly string[]): boolean {
  const name = hostName(header);
  if (name === null) return false;
  return name === 'localhost' || name.includes(':') || ADDRESS.test(name) || listed.includes(name);
}

/** Whether a page of this origin may call: one that is listed, or one of this very server. */
export function originAllowed(origin: string, host: string | null, listed: readonly string[]): boolean {
  if (listed.includes(origin)) return true;
  try {
    return host !== null && new URL(origin).host === host.toLowerCase();
  } catch {
    return false; // `null`, and what is no URL
  }
}

/** Whether an address is reached from this machine alone. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127\./.test(host);
