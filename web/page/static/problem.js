/** What went wrong, as the API says it: application/problem+json with a request id, or no answer at all. */
export class ProblemError extends Error {
  /**
   * @param {{ status?: number, code?: string, title?: string, detail?: string, requestId?: string | null,
   *   retryAfterS?: number | null }} [problem]
   */
  constructor({ status = 0, code = "unreachable", title = "The server cannot be reached", detail = "", requestId = null, retryAfterS = null } = {}) {
    super(detail || title);
    this.name = "ProblemError";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    this.requestId = requestId;
    this.retryAfterS = retryAfterS;
  }

  /** Reads an answer that is not a success; a proxy's plain page becomes a problem as well. */
  static async from(response) {
    let body = {};
    try {
      body = await response.json();
    } catch {
      // Refusals made before the application saw the request are plain text.
    }
    const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    return new ProblemError({
      status: response.status,
      code: String(body.code ?? `http_${response.status}`),
      title: String(body.title ?? response.statusText ?? "Request failed"),
      detail: String(body.detail ?? ""),
      requestId: body.request_id ?? response.headers.get("X-Request-ID"),
      retryAfterS: Number.isFinite(retryAfter) ? retryAfter : null,
    });
  }
}
