/** Undefined where the user forbids pages to keep anything: then a reload begins anew. */
export function tabStorage(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}
