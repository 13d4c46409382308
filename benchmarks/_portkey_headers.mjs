// Not a benchmark: loaded into Portkey's gateway by serve_overhead.py. On Node 20.20 the gateway
// (1.15.2) answers every stream with 500, as it appends to the headers of a fetched answer, which
// are immutable. Answers with headers of their own make it work.
const fetched = globalThis.fetch;
globalThis.fetch = async (...call) => {
  const { body, status, statusText, headers } = await fetched(...call);
  return new Response(body, { status, statusText, headers: new Headers(headers) });
};
