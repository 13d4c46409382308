// One question with its thought, answer, decision, tokens and seconds, as the page shows them.

const number = new Intl.NumberFormat("en-US");
const MODES = { on: "Thinking ON", off: "Thinking OFF", default: "Thinking as the model's default" };
const NOTES = {
  stopped: "Stopped.",
  length: "Cut at the token limit.",
  empty: "No answer came, so this question is not part of the conversation.",
};

// A text that grows: what comes is put in once a frame, however many pieces it comes in.
class GrowingText {
  constructor(element, keepInView) {
    this.node = element.appendChild(new Text());
    this.keepInView = keepInView;
    this.due = "";
    this.text = "";
  }

  add(text) {
    if (!this.due) requestAnimationFrame(() => this.flush());
    this.due += text;
    this.text += text;
  }

  flush() {
    const due = this.node.length ? this.due : this.due.trimStart();
    this.due = "";
    if (due) this.keepInView(() => this.node.appendData(due));
  }
}

export class TurnView {
  constructor(template, question, keepInView, say) {
    this.element = template.content.cloneNode(true).firstElementChild;
    this.keepInView = keepInView;
    this.say = say;
    this.times = { sent: performance.now() };
    this.usage = null;
    this.reason = "";
    this.touched = false;
    this.find(".asked").textContent = question;
    const box = this.find(".thought .text");
    this.thoughtText = new GrowingText(box, (change) =>
      keepInView(() => {
        change();
        if (!this.touched) box.scrollTop = box.scrollHeight;
      }),
    );
    this.answerText = new GrowingText(this.find(".answer .text"), keepInView);
    for (const kind of ["click", "wheel", "touchmove", "keydown"]) {
      this.find(".thought").addEventListener(kind, () => (this.touched = true), { passive: true });
    }
    this.clock = setInterval(() => this.showCounts(), 500);
    say("Waiting for the first token…");
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  get answer() {
    return this.answerText.text;
  }

  decide(headers) {
    const [mode, reason, margin, policy] = ["mode", "reason", "margin", "policy"].map((name) =>
      headers.get(`x-deimos-${name}`),
    );
    if (!mode) return;
    const name = document.createElement("span");
    name.className = `mode ${mode in MODES ? mode : ""}`;
    name.textContent = MODES[mode] ?? `Thinking ${mode}`;
    const details = [margin && `margin ${margin}`, policy && `policy ${policy}`].filter(Boolean);
    const rest = `: ${reason ?? "no reason given"}${details.length ? ` (${details.join(", ")})` : ""}`;
    this.find(".decision").replaceChildren(name, rest);
    this.show(".decision");
  }

  think(text) {
    if (!this.times.thought) {
      this.times.thought = performance.now();
      this.show(".thought");
      this.find(".thought").open = true;
      this.say("Thinking…");
    }
    this.thoughtText.add(text);
  }

  write(text) {
    if (!this.times.answer && text.trim()) {
      this.times.answer = performance.now();
      this.show(".answer");
      if (!this.touched) this.find(".thought").open = false; // nobody is reading it
      this.say("Answering…");
    }
    this.answerText.add(text);
  }

  count(usage) {
    this.usage = usage;
  }

  finish(reason) {
    this.reason = reason;
  }

  // How: "" (complete), "stopped" or "failed", then with a sentence.
  end(how, sentence = "") {
    clearInterval(this.clock);
    this.times.end = performance.now();
    this.thoughtText.flush();
    this.answerText.flush();
    this.showCounts();
    const notes = [how === "failed" ? sentence : NOTES[how], NOTES[this.reason], this.inAll()];
    if (!this.answer.trim()) notes.push(NOTES.empty);
    const note = notes.filter(Boolean).join(" ");
    this.find(".note").classList.toggle("bad", how === "failed");
    this.keepInView(() => {
      this.find(".note").textContent = note;
      this.find(".note").hidden = !note;
    });
    this.say(note || `Done: ${this.spoken()}.`);
  }

  showCounts() {
    const { thought, answer, end = performance.now() } = this.times;
    const tokens = this.tokens();
    const describe = (count, from, to) => {
      // While it runs, it is not yet known whether the server will say how many.
      const words = count === undefined ? this.times.end && "tokens not counted" : `${number.format(count)} tokens`;
      return [words, `${((to - from) / 1000).toFixed(1)} s`].filter(Boolean).join(", ");
    };
    if (thought) this.find(".thought .count").textContent = describe(tokens.thought, thought, answer ?? end);
    if (answer) this.find(".answer .count").textContent = describe(tokens.answer, answer, end);
  }

  // Tokens of each, as the server counts them; the tags and the end of turn count as the answer's.
  tokens() {
    const all = this.usage?.completion_tokens;
    const thought = this.usage?.completion_tokens_details?.reasoning_tokens;
    if (all === undefined) return {};
    if (!this.times.thought) return { answer: all };
    return typeof thought === "number" ? { thought, answer: all - thought } : {};
  }

  // The sum, from a server that does not count the two apart.
  inAll() {
    const all = this.usage?.completion_tokens;
    return all !== undefined && this.tokens().answer === undefined
      ? `${number.format(all)} tokens in all.`
      : "";
  }

  spoken() {
    const parts = ["thought", "answer"].filter((part) => this.times[part]);
    return parts.map((part) => `${part} ${this.find(`.${part} .count`).textContent}`).join("; ");
  }

  show(selector) {
    this.keepInView(() => (this.find(selector).hidden = false));
  }
}
