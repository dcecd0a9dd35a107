/**
 * A small client of the gateway's API. It needs nothing but fetch: copy this file into your own
 * project and give it your own way to get a token.
 */

/** A refusal (RFC 9457). Decide by `code`, which is stable; show `message`, which is a sentence. */
export class Problem extends Error {
  constructor(response, body) {
    const { detail, message, title } = body;
    super(detail || message || title || `The gateway answered ${response.status}.`);
    this.status = response.status;
    this.code = body.code || "unknown";
    this.requestId = body.request_id || "";
    this.retryAfterSeconds = Number(response.headers.get("Retry-After")) || 0;
  }
}

export class Gateway {
  /** `token` is called before each request, so it may renew what it gives. `base` is the
   *  gateway's origin, empty if the page comes from there. `observe` hears of every answer. */
  constructor({ token, base = "", observe = () => {} }) {
    Object.assign(this, { token, base, observe });
  }

  /** fetch with the token; throws a Problem for every answer that is not a success. */
  async fetch(method, path, { headers = {}, body, signal } = {}) {
    const started = performance.now();
    const authorization = { Authorization: `Bearer ${await this.token()}` };
    const init = { method, body, signal, headers: { ...authorization, ...headers } };
    const response = await fetch(this.base + path, init);
    this.observe(method, path, response.status, performance.now() - started);
    if (response.ok) return response;
    const details = await response.json().catch(() => ({}));
    throw new Problem(response, details.error || details); // OL Connect wraps it in "error"
  }

  async json(method, path, options) {
    return (await this.fetch(method, path, options)).json();
  }

  /** Start a pipeline with a File; gives the Operation. Trying again is safe: the key makes the
   *  gateway answer the first start again instead of printing twice. */
  run(pipeline, file, key = crypto.randomUUID()) {
    const path = `/api/v1/pipelines/${pipeline}?filename=${encodeURIComponent(file.name)}`;
    const headers = { "Content-Type": file.type, "Idempotency-Key": key };
    return patiently(() => this.json("POST", path, { headers, body: file }));
  }

  /** Yields `{type, data}` until the operation ends. EventSource cannot send a token, so this
   *  reads the stream itself, and goes on where a lost connection left it. */
  async *events(id, { signal, onLost = () => {} } = {}) {
    const headers = { Accept: "text/event-stream" };
    for (let failures = 0; ; failures += 1) {
      try {
        const path = `/api/v1/operations/${id}/events`;
        const response = await this.fetch("GET", path, { headers, signal });
        for await (const event of readEvents(response.body)) {
          failures = 0;
          if (event.id) headers["Last-Event-ID"] = event.id;
          yield { type: event.type, data: JSON.parse(event.data) };
          if (event.type !== "progress") return;
        }
      } catch (error) {
        if (signal?.aborted || !isPassing(error)) throw error;
      }
      onLost();
      await pause(Math.min(250 * 2 ** failures, 10_000));
    }
  }
}

/** The events of a text/event-stream (HTML Living Standard, section 9.2). */
async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (text + value).split(/\r?\n\r?\n/);
      text = blocks.pop();
      for (const event of blocks.map(readEvent)) if (event.data) yield event;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function readEvent(block) {
  const event = { type: "message", id: "", data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([a-z]*): ?(.*)$/s.exec(line) || [];
    if (name === "event") event.type = value;
    if (name === "id") event.id = value;
    if (name === "data") event.data += (event.data && "\n") + value;
  }
  return event;
}

async function patiently(attempt) {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (count === 4 || !isPassing(error)) throw error;
      await pause((error.retryAfterSeconds || 2 ** count / 4) * 1000);
    }
  }
}

/** A lost connection (fetch throws TypeError), trouble behind the gateway, or a start that goes on
 *  although its connection was lost. */
const isPassing = (error) =>
  error instanceof TypeError || error.status >= 502 || error.code === "idempotency_in_progress";
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
