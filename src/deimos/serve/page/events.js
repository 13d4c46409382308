// Server-sent events of one response, as the values of their JSON.

// Yields each event's value; returns true if the server said [DONE], false if the stream just ended.
// Throws if an event is no JSON. Bytes may be cut anywhere, inside a character or a line end too.
export async function* readEvents(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      rest += done ? decoder.decode() + "\n\n" : decoder.decode(value, { stream: true });
      // A CR at the very end may be the first half of a line end.
      const whole = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
      const blocks = whole.replaceAll("\r\n", "\n").replaceAll("\r", "\n").split("\n\n");
      rest = blocks.pop() + rest.slice(whole.length);
      for (const block of blocks) {
        const data = dataOf(block);
        if (data === "[DONE]") return true;
        if (data) yield JSON.parse(data);
      }
      if (done) return false;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function dataOf(block) {
  return block
    .split("\n")
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5).replace(/^ /, ""))
    .join("\n");
}
