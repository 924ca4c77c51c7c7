/** Requests to the host. Changes carry the token that the host gave this browser session. */

const BASE = "/api/v1";
const TIMEOUT_MS = 15_000;

/** The host refused, or did not answer at all (status 0). The message is a sentence for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

let csrfToken = "";
let onSignedOut: () => void = () => {};

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Calls `listener` when the host no longer knows this browser session. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new ApiError(0, "the host does not answer");
  }
  const text = await response.text();
  if (!response.ok) {
    if (response.status === 401 && !path.startsWith("/auth/")) onSignedOut();
    throw new ApiError(response.status, messageOf(text) || `${response.status} ${response.statusText}`);
  }
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string) => request<T>("GET", path);
export const post = <T>(path: string, body?: unknown) => request<T>("POST", path, body);
export const put = <T>(path: string, body?: unknown) => request<T>("PUT", path, body);
export const patch = <T>(path: string, body?: unknown) => request<T>("PATCH", path, body);
export const del = (path: string) => request<void>("DELETE", path);

/** The sentence in an answer that is an error; empty when there is none. */
export function messageOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : "";
  } catch {
    return "";
  }
}
