// What the venue answers when it refuses (RFC 9457), and what may go wrong on the way to it.

/** A refusal of the venue. `fieldErrors`: [{field, detail}]; `gates`: [{code, passed, detail}]. */
export class Problem extends Error {
  constructor(body, status = 0) {
    super(body.detail || body.title || "The venue refused this.");
    this.status = body.status ?? status;
    this.code = body.code ?? "unknown";
    this.retryable = Boolean(body.retryable);
    this.fieldErrors = (body.field_errors ?? []).map((entry) => ({
      field: entry.field ?? "",
      detail: entry.detail ?? entry.message ?? entry.code ?? "",
    }));
    this.gates = body.gates ?? [];
    this.requestId = body.request_id ?? "";
  }
}

/** The line broke before an answer came: whether the venue has done it is not known. */
export class OutcomeUnknown extends Error {
  constructor(detail = "The connection was lost before the venue answered.") {
    super(detail);
    this.code = "outcome_unknown";
    this.retryable = true;
    this.fieldErrors = [];
    this.gates = [];
  }
}
