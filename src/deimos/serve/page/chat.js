// The chat page: a question, the model's thought and answer, and why thinking was on or off.
// What a model or a server wrote is put in as text only; the page never makes HTML of a string.

import { ask, readSettings } from "./client.js";
import { TurnView } from "./turn.js";

const find = (id) => document.getElementById(id);
const turns = []; // {question, answer}: what the model is given of the conversation
let settings = { on: null, off: null, why: "" };
let running = null; // the AbortController of the answer that is being written

function say(text) {
  find("state").textContent = text;
}

// Keeps the newest words in view, unless the reader has scrolled away from them.
function keepInView(change) {
  const box = find("turns");
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 48;
  change();
  if (atEnd) box.scrollTop = box.scrollHeight;
}

function showRunning(controller) {
  const focused = document.activeElement;
  running = controller;
  find("send").hidden = Boolean(controller);
  find("stop").hidden = !controller;
  // A hidden button cannot keep the focus.
  if (focused === find("send")) find("stop").focus();
  if (focused === find("stop")) find("question").focus();
}

function bodyOf(question) {
  const messages = turns.flatMap((turn) => [
    { role: "user", content: turn.question },
    { role: "assistant", content: turn.answer },
  ]);
  messages.push({ role: "user", content: question });
  const body = { model: find("model").value, messages };
  const mode = document.querySelector("input[name=mode]:checked").value;
  if (mode !== "auto") body.chat_template_kwargs = settings[mode];
  return body;
}

async function send() {
  const question = find("question").value.trim();
  if (!question || running) return;
  const controller = new AbortController();
  const body = bodyOf(question);
  const view = new TurnView(find("turn"), question, keepInView, say);
  find("hint").hidden = true;
  find("question").value = "";
  showRunning(controller);
  find("turns").append(view.element);
  find("turns").scrollTop = find("turns").scrollHeight;
  try {
    await ask(body, controller.signal, view);
    view.end(controller.signal.aborted ? "stopped" : "");
  } catch (error) {
    view.end(controller.signal.aborted ? "stopped" : "failed", error.message);
  }
  if (running !== controller) return; // another chat was begun meanwhile
  if (view.answer.trim()) turns.push({ question, answer: view.answer });
  else if (!find("question").value) find("question").value = question;
  showRunning(null);
}

function stop() {
  running?.abort();
}

function begin() {
  stop();
  turns.length = 0;
  for (const article of find("turns").querySelectorAll("article")) article.remove();
  find("hint").hidden = false;
  showRunning(null);
  say("");
  find("question").focus();
}

function onKey(event) {
  // On a phone, Enter is the only way to a new line; Enter also ends a word in Chinese or Japanese.
  const newLine = event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches;
  if (event.key !== "Enter" || newLine) return;
  event.preventDefault();
  send();
}

async function start() {
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  find("question").addEventListener("keydown", onKey);
  find("stop").addEventListener("click", stop);
  find("fresh").addEventListener("click", begin);
  document.addEventListener("keydown", (event) => event.key === "Escape" && stop());
  find("question").focus();
  try {
    settings = await readSettings();
  } catch (error) {
    say(error.message);
    return;
  }
  find("model").append(...settings.models.map((name) => new Option(name, name)));
  for (const input of document.querySelectorAll("input[name=mode]")) {
    input.disabled = input.value !== "auto" && !settings[input.value];
  }
  find("switch").textContent = settings.why;
}

start();
