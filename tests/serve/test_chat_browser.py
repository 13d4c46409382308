"""The chat page as a reader meets it, in a headless Chromium on a real socket."""

import io
import re
import time

import pytest
from browser import Browser, chromium
from page_server import DONE, ScriptedServer, event, thoughtful, usage
from running import serving

from deimos.models.switch import NO_SWITCH, find_switch
from deimos.report.snippet import QUESTION
from deimos.serve.app import make_app
from deimos.serve.chat_page import ChatPage, page_paths
from deimos.serve.guard import Guard
from deimos.serve.keys import Keys
from deimos.serve.metrics import ServingMetrics
from deimos.serve.middleware import ThinkingRouter
from deimos.serve.router import Router

pytestmark = pytest.mark.real
WIDTHS = {"phone": 390, "desktop": 1280}
HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>&amp;</p><h1>\'\u202e'
OVERFLOWING = """
[...document.querySelectorAll('body *')]
  .filter(e => e.offsetParent && !e.closest('.skip, .modes input')
    && e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => e.tagName + '.' + e.className)
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = chromium()
    if not program:
        pytest.skip("no Chromium on this machine")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def server():
    with ScriptedServer() as running:
        yield running


def visit(browser, server, width=1280, dark=False):
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(server.url, width=width, height=800, dark=dark)
    browser.wait("document.querySelector('#model').options.length")


def ask(browser, question="What is two and two?"):
    turns = browser.value("document.querySelectorAll('article').length")
    browser.click("#question")
    browser.write(question)
    browser.press("Enter")
    browser.wait(f"document.querySelectorAll('article').length > {turns}")


def wait_for_the_end(browser):
    browser.wait("document.querySelector('#stop').hidden")


def text(browser, selector):
    """The text of the last element that fits, None if there is none or it is hidden."""
    found = f"[...document.querySelectorAll({selector!r})].filter(e => e.checkVisibility()).at(-1)"
    return browser.value(f"{found}?.textContent ?? null")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_question_is_answered_and_all_of_it_is_shown(browser, server, width, dark):
    image = pytest.importorskip("PIL.Image")
    long = "a very long wordwithoutanybreakinit" * 40 + "\n" + "line\n" * 60
    server.script = thoughtful(thought=long, answer=long)
    visit(browser, server, width, dark)
    browser.write("What is two and two? " + "x" * 400)
    browser.click("#send")
    browser.wait("document.querySelector('article .answer .text')?.textContent.length > 1000")
    wait_for_the_end(browser)
    assert text(browser, ".decision") == (
        "Thinking ON: asks for a number that has to be worked out "
        "(margin 0.12, policy default-1a2b3c4d)"
    )
    assert text(browser, ".thought .count").startswith(f"{len(long):,} tokens, ")
    assert text(browser, ".answer .count").startswith(f"{len(long):,} tokens, ")
    assert text(browser, "#state").startswith("Done: thought ")
    assert text(browser, ".thought .text") is None, "closed once the answer comes"
    browser.click("summary")
    assert text(browser, ".thought .text") == long
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(OVERFLOWING) == []
    assert browser.complaints == []
    assert [r for r in browser.requests if not r.startswith(server.url)] == []
    shot = image.open(io.BytesIO(browser.screenshot())).convert("L")
    assert shot.getextrema()[1] - shot.getextrema()[0] > 150
    assert (shot.getpixel((3, 3)) < 128) is dark
    box = "document.querySelector('#question').getBoundingClientRect()"
    assert browser.value(f"{box}.bottom <= innerHeight"), "one can always write"
    smallest = "Math.min(...[...document.querySelectorAll('button, select, .modes label')]"
    smallest += ".filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().height))"
    assert browser.value(smallest) >= 40, "as large as a thumb"


def test_nothing_that_anybody_wrote_becomes_html(browser, server):
    server.script = thoughtful(thought=HOSTILE, answer=HOSTILE)
    server.headers = {f"x-deimos-{name}": HOSTILE[:-1] for name in ("mode", "reason", "policy")}
    server.models = [HOSTILE]
    visit(browser, server)
    ask(browser, HOSTILE)
    wait_for_the_end(browser)
    browser.click("summary")
    assert text(browser, ".thought .text") == text(browser, ".answer .text") == HOSTILE
    assert text(browser, ".asked") == HOSTILE
    assert HOSTILE[:-1] in text(browser, ".decision")
    server.status, server.script = 400, [event(error={"message": HOSTILE})[6:]]
    ask(browser, HOSTILE)
    wait_for_the_end(browser)
    assert HOSTILE in text(browser, ".note.bad")
    assert browser.value("document.querySelectorAll('main img, main script, main h1').length") == 0
    assert browser.value("window.hit === undefined")


def test_the_browser_forbids_what_the_page_never_does(browser, server):
    visit(browser, server)
    with pytest.raises(RuntimeError, match="TrustedHTML"):
        browser.value("document.body.innerHTML = '<b>x</b>'")
    browser.value("{const s = document.createElement('style'); s.textContent = '*{color:red}';"
                  "document.head.append(s)}")  # fmt: skip
    with pytest.raises(RuntimeError, match="Failed to fetch"):
        browser.value("fetch('http://127.0.0.1:9/')")
    assert sum("Content Security Policy" in c for c in browser.complaints) >= 2


@pytest.mark.parametrize(
    ("mode", "kwargs"),
    [("auto", None), ("on", {"enable_thinking": True}), ("off", {"enable_thinking": False})],
)
def test_the_switch_sends_the_templates_arguments(browser, server, mode, kwargs):
    visit(browser, server)
    browser.click(f"input[value={mode}]")
    ask(browser)
    wait_for_the_end(browser)
    (body,) = server.bodies
    assert body.get("chat_template_kwargs") == kwargs
    assert body["model"] == "lab" and body["stream"] is True


def test_a_mode_that_nothing_chooses_cannot_be_chosen(browser):
    with ScriptedServer(NO_SWITCH) as server:
        visit(browser, server)
        browser.wait("document.querySelector('#switch').textContent")
        assert "has no switch" in text(browser, "#switch")
        disabled = "[...document.querySelectorAll('input')].map(e => [e.value, e.disabled])"
        assert browser.value(disabled) == [["auto", False], ["on", True], ["off", True]]


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stop_ends_the_request_and_keeps_what_came(browser, server, how):
    server.script = [*thoughtful()[:-3], "hang"]
    visit(browser, server)
    ask(browser)
    browser.wait("document.querySelector('.answer .text')?.textContent === 'Four.'")
    seconds = "/^\\d+\\.\\d s$/.test(document.querySelector('.answer .count').textContent)"
    browser.wait(seconds)  # while it runs, nothing is said of tokens that may yet be counted
    started = time.monotonic()
    if how == "button":
        browser.click("#stop")
    else:
        browser.press("Escape")
    wait_for_the_end(browser)
    browser.wait("document.querySelector('.note').textContent")
    while not server.left:
        assert time.monotonic() < started + 10, "the server never heard of it"
        time.sleep(0.01)
    assert text(browser, ".note") == "Stopped."
    assert text(browser, ".answer .count").startswith("tokens not counted, ")
    assert browser.value("document.activeElement.id") == "question"
    server.script = thoughtful()
    ask(browser, "And then?")
    wait_for_the_end(browser)
    assert [m["role"] for m in server.bodies[-1]["messages"]] == ["user", "assistant", "user"]
    assert server.bodies[-1]["messages"][1]["content"].strip() == "Four."


def test_tokens_so_far_are_counted_where_the_server_says_them(browser, server):
    server.script = [event({"reasoning": "hm"}), usage(7, 0), "hang"]
    visit(browser, server)
    ask(browser)
    browser.wait("document.querySelector('.thought .count').textContent.startsWith('7 tokens')")
    browser.press("Escape")
    wait_for_the_end(browser)
    assert text(browser, ".thought .count").startswith("7 tokens, ")
    assert text(browser, ".note") == (
        "Stopped. No answer came, so this question is not part of the conversation."
    )
    assert browser.value("document.querySelector('#question').value") == "What is two and two?"


def test_the_conversation_goes_on_and_begins_anew(browser, server):
    visit(browser, server)
    for question in ("one", "two"):
        ask(browser, question)
        wait_for_the_end(browser)
    told = [(m["role"], m["content"].strip()) for m in server.bodies[-1]["messages"]]
    assert told == [("user", "one"), ("assistant", "Four."), ("user", "two")]
    browser.click("#fresh")
    browser.wait("document.querySelectorAll('article').length === 0")
    ask(browser, "three")
    wait_for_the_end(browser)
    assert [m["content"] for m in server.bodies[-1]["messages"]] == ["three"]


def test_a_new_chat_stops_the_old_ones_answer(browser, server):
    server.script = [event({"content": "so"}), "hang"]
    visit(browser, server)
    ask(browser)
    browser.wait("document.querySelector('.answer .text')?.textContent === 'so'")
    browser.click("#fresh")
    browser.wait("document.querySelectorAll('article').length === 0")
    server.script = thoughtful()
    ask(browser, "new")
    wait_for_the_end(browser)
    assert [m["content"] for m in server.bodies[-1]["messages"]] == ["new"]
    assert len(server.left) == 1


def test_the_keyboard_is_enough(browser, server):
    visit(browser, server)
    assert browser.value("document.activeElement.id") == "question"
    browser.write("first")
    browser.press("Enter", shift=True)
    browser.write("second")
    browser.press("Tab")
    assert browser.value("document.activeElement.id") == "send"
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert browser.value(ring) == "solid", "one sees where one is"
    browser.press("Space")
    browser.wait("document.querySelector('article .answer')?.checkVisibility() ?? false")
    wait_for_the_end(browser)
    assert server.bodies[0]["messages"][0]["content"] == "first\nsecond"
    browser.value("document.querySelector('input[value=auto]').focus()")
    browser.press("ArrowRight")
    assert browser.value("document.querySelector('input:checked').value") == "on"
    assert browser.value("getComputedStyle(document.activeElement.nextSibling).outlineStyle") == (
        "solid"
    )
    seen = set()
    for _ in range(12):
        browser.press("Tab")
        seen.add(browser.value("document.activeElement.id || document.activeElement.tagName"))
    assert {"model", "fresh", "question", "SUMMARY"} <= seen
    names = "[...document.querySelectorAll('button, select, textarea, input, summary')].filter("
    names += "e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length"
    assert browser.value(names) == 0, "everything that can be used has a name"


def test_on_a_phone_enter_starts_a_line(browser, server):
    visit(browser, server, width=390)
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=True)
    browser.ask("Emulation.setEmulatedMedia", features=[{"name": "pointer", "value": "coarse"}])
    coarse = browser.value("matchMedia('(pointer: coarse)').matches")
    browser.write("a")
    browser.press("Enter")
    browser.ask("Emulation.setTouchEmulationEnabled", enabled=False)
    if not coarse:
        pytest.skip("this Chromium emulates no touch screen")
    assert browser.value("document.querySelector('#question').value") == "a\n"
    assert server.bodies == []


REFUSAL = event(error={"message": "max_tokens must be at most 512."})[6:]
FAILURES = {
    "refused": (400, [REFUSAL], {}, "max_tokens must be at most 512."),
    "busy": (429, [REFUSAL], {"retry-after": "3"}, "at most 512. Try again in 3 s."),
    "no key": (401, [b"{}"], {}, "status 401. Reload the page and give the key as the password."),
    "no JSON": (502, [b"<html>"], {}, "The server answered with status 502."),
    "half a stream": (200, thoughtful()[:9], {}, "The connection ended before the answer did."),
    "fails midway": (200, [*thoughtful()[:9], b"data: " + REFUSAL], {}, "must be at most 512."),
    "garbage": (200, [*thoughtful()[:9], b"data: {]\n\n"], {}, "The server's answer cannot be read."),
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_what_goes_wrong_is_said_and_one_can_ask_again(browser, server, failure):
    server.status, server.script, more, sentence = FAILURES[failure]
    server.headers |= more
    visit(browser, server)
    ask(browser)
    wait_for_the_end(browser)
    assert sentence in text(browser, ".note.bad")
    assert text(browser, "#state") == text(browser, ".note.bad")
    assert text(browser, ".decision").startswith("Thinking ON: "), "also of an answer that failed"
    assert browser.value("document.querySelector('#question').value") == "What is two and two?"
    server.status, server.script = 200, thoughtful()
    browser.press("Enter")
    browser.wait("document.querySelectorAll('article').length > 1")
    wait_for_the_end(browser)
    assert text(browser, ".answer .text") == "Four."
    assert len(server.bodies[-1]["messages"]) == 1


def test_a_server_that_is_gone(browser):
    with ScriptedServer() as server:
        visit(browser, server)
    ask(browser)
    wait_for_the_end(browser)
    assert "The server cannot be reached." in text(browser, ".note.bad")


@pytest.mark.parametrize(
    ("script", "note", "counts"),
    [
        ([event({"content": "No"}), event({"content": "."}, "stop"), usage(0, 2), DONE],
         None, [None, "2 tokens, "]),
        ([event({"reasoning": "hm"}), event({}, "length"), usage(9, 1), DONE],
         "Cut at the token limit. No answer came, so this question is not part of the conversation.",
         ["9 tokens, ", None]),
        ([event({"reasoning_content": "hm"}), event({"content": "x"}, "stop"), DONE],
         None, ["tokens not counted, ", "tokens not counted, "]),
        ([event({"reasoning": "hm"}), event({"content": "x"}, "stop"),
          event(usage={"completion_tokens": 5}), DONE],
         "5 tokens in all.", ["tokens not counted, ", "tokens not counted, "]),
    ],
    ids=["no thought", "cut while thinking", "no usage", "no usage of the thought"],
)  # fmt: skip
def test_other_endings(browser, server, script, note, counts):
    server.script, server.headers = script, {}
    visit(browser, server)
    ask(browser)
    wait_for_the_end(browser)
    assert text(browser, ".note") == note
    for part, count in zip(("thought", "answer"), counts, strict=True):
        found = text(browser, f".{part} .count")
        assert found is None if count is None else found.startswith(count)
    assert text(browser, ".decision") is None, "none came with it"


def test_a_thought_that_is_being_read_stays_open(browser, server):
    answer = [event({"content": "x"}, "stop"), DONE]
    server.script = [*[event({"reasoning": "line\n"}) for _ in range(99)], 2.0, *answer]
    visit(browser, server)
    ask(browser)
    browser.wait("document.querySelector('.thought .text').textContent.length > 400")
    browser.click(".thought .text")
    wait_for_the_end(browser)
    assert text(browser, ".thought .text") is not None


def test_events_are_the_same_wherever_their_bytes_are_cut(browser, server):
    visit(browser, server)
    found = browser.value("""(async () => {
      const { readEvents } = await import('/page/events.js');
      const bytes = new TextEncoder().encode(
        ': hello\\r\\n\\r\\ndata: {"a": "é漢😀"}\\r\\n\\r\\nevent: x\\rdata:{"a":\\rdata: 2}\\r\\r' +
        'data: {"a": 3}\\n\\ndata: [DONE]\\n\\ndata: {"a": 4}\\n\\n');
      const results = new Set();
      for (let size = 1; size <= bytes.length; size++) {
        const body = new ReadableStream({ start(controller) {
          for (let at = 0; at < bytes.length; at += size)
            controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        }});
        const values = [];
        for await (const event of readEvents(new Response(body))) values.push(event.a);
        results.add(JSON.stringify(values));
      }
      return [...results];
    })()""")
    assert found == ['["é漢😀",2,3]']


def test_a_hundred_thousand_pieces_do_not_stop_the_page(browser, server):
    piece = event({"content": "word "})
    server.script = [piece * 100 for _ in range(1000)] + [event({}, "stop"), DONE]
    visit(browser, server)
    ask(browser)
    browser.wait("document.querySelector('#stop').hidden", 60)
    assert len(text(browser, ".answer .text")) == 500_000
    assert browser.complaints == []


def test_a_server_with_keys_asks_for_one_as_the_password(browser):
    with ScriptedServer(keys=Keys(("a-long-key",))) as server:
        browser.login = ("anybody", "a-long-key")
        try:
            visit(browser, server)
            ask(browser)
            wait_for_the_end(browser)
        finally:
            browser.ask("Fetch.disable")
            browser.login = None
        assert text(browser, ".answer .text") == "Four."
        assert browser.complaints == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_lab_thinks_answers_and_is_stopped(browser, lab_model, width):
    router = Router(switch=find_switch(lab_model.tokenizer.chat_template))
    app = ThinkingRouter(make_app({"lab": lab_model}, ServingMetrics()), router)
    app = Guard(ChatPage(app, router.switch), models=["lab"], pages=page_paths())
    with serving(app) as port:
        browser.complaints.clear()
        browser.open(f"http://127.0.0.1:{port}/", width=width, height=800)
        browser.wait("document.querySelector('#model').options.length")
        ask(browser, QUESTION)
        browser.wait("document.querySelector('#stop').hidden", 120)
        assert text(browser, ".decision").startswith("Thinking ON: ")
        assert re.match(r"[1-9]\d* tokens, \d+\.\d s$", text(browser, ".thought .count"))
        assert re.match(r"[1-9]\d* tokens, \d+\.\d s$", text(browser, ".answer .count"))
        assert text(browser, ".answer .text").strip() and text(browser, ".note") is None
        browser.click("#fresh")
        browser.click("input[value=off]")
        ask(browser, QUESTION)
        browser.wait("document.querySelector('#stop').hidden", 120)
        assert text(browser, ".decision").startswith("Thinking OFF: set by the client")
        assert text(browser, ".thought") is None and text(browser, ".answer .text").strip()
        browser.click("#fresh")
        browser.click("input[value=on]")
        ask(browser, QUESTION)
        browser.wait("/^[1-9]/.test(document.querySelector('.thought .count')?.textContent)", 60)
        browser.press("Escape")
        browser.wait("document.querySelector('#stop').hidden")
        assert text(browser, ".note").startswith("Stopped.")
        assert "tokens, " in text(browser, ".thought .count"), "counted so far"
        assert browser.complaints == []
