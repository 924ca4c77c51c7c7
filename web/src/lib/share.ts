/** The address of a link for somebody else: `origin` as this page was opened, which may be the host's name for itself. */
export function sharedAddress(origin: string, path: string, hostAddress: string): string {
  const url = new URL(path, origin);
  if (isLoopback(url.hostname) && hostAddress && !isLoopback(hostAddress)) {
    url.hostname = hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress;
  }
  return url.href;
}

function isLoopback(name: string): boolean {
  return name === "localhost" || name === "[::1]" || name === "::1" || /^127\./.test(name);
}
