// What the page asks of the server.

import { readEvents } from "./events.js";

// A page that was opened with a user name in its address may not fetch relative addresses.
const base = location.origin + location.pathname.replace(/[^/]*$/, "");

// The models' names; what chat_template_kwargs turn thinking on and off (null: nothing does), and why.
export async function readSettings() {
  const [models, modes] = await Promise.all([readJSON("v1/models"), readJSON("page/modes.json")]);
  return { models: models.data.map((model) => model.id), ...modes };
}

// Sends a chat and shows what comes: view.decide(headers), view.think(text), view.write(text),
// view.count(usage), view.finish(reason). Throws an Error with one sentence if it goes wrong.
export async function ask(body, signal, view) {
  const stream_options = { include_usage: true, continuous_usage_stats: true };
  const response = await request("v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream: true, stream_options }),
    signal,
  });
  view.decide(response.headers);
  if (!response.ok) throw new Error(await explain(response));
  if (!(await show(readEvents(response), view))) {
    throw new Error("The connection ended before the answer did.");
  }
}

// Shows a stream's events; whether the answer came to its end.
async function show(events, view) {
  let finished = false;
  for await (const event of whole(events)) {
    if (event.error) throw new Error(sentenceOf(event) || "The server reported an error.");
    if (event.usage) view.count(event.usage);
    const choice = event.choices?.[0];
    if (!choice) continue;
    const delta = choice.delta ?? {};
    // vLLM's name for the thought, and that of servers which keep to its former name.
    const thought = delta.reasoning ?? delta.reasoning_content;
    if (thought) view.think(thought);
    if (delta.content) view.write(delta.content);
    if (choice.finish_reason) {
      finished = true;
      view.finish(choice.finish_reason);
    }
  }
  return finished;
}

// The same events; a connection that breaks just ends them, and what is no JSON is said plainly.
async function* whole(events) {
  try {
    yield* events;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error instanceof SyntaxError) throw new Error("The server's answer cannot be read.", { cause: error });
  }
}

async function readJSON(path) {
  const response = await request(path, {});
  if (!response.ok) throw new Error(await explain(response));
  return response.json().catch(() => {
    throw new Error("The server's answer cannot be read.");
  });
}

async function request(path, options) {
  try {
    return await fetch(base + path, { redirect: "error", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached.", { cause: error });
  }
}

async function explain(response) {
  const said = sentenceOf(await response.json().catch(() => ({})));
  const wait = response.headers.get("retry-after");
  const parts = [said || `The server answered with status ${response.status}.`];
  if (response.status === 401) parts.push("Reload the page and give the key as the password.");
  if (wait) parts.push(`Try again in ${wait} s.`);
  return parts.join(" ");
}

function sentenceOf(value) {
  const error = value?.error;
  const text = typeof error === "string" ? error : error?.message;
  return typeof text === "string" ? text.slice(0, 1000) : "";
}
