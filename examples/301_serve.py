"""A server that thinks where it pays, asked by OpenAI's client, which knows nothing of modes.

Run it: python examples/301_serve.py

It starts `deimos serve lab` on a free port and asks it four questions: the router decides for three of
them, the last one sets its mode itself. For a model of yours: `deimos serve runs/mine`, and the same
client. In front of a server that you already have: `deimos serve --upstream URL`.
"""

import contextlib
import subprocess
import sys

from openai import OpenAI

STORY = (
    "Nora has 39 stamps. Nora buys 19 more stamps. Nora gives 6 stamps to Ray. "
    "Then Nora sells half of the stamps. How many stamps does Nora have now?"
)
OFF = {"chat_template_kwargs": {"enable_thinking": False}}
QUESTIONS = [
    (STORY, None),
    ("Write exactly three words, all in lower case, without commas.", None),
    ("What is 17 + 25 - 8?", None),
    (STORY, OFF),
]


@contextlib.contextmanager
def serve_lab():
    """The server's base URL, while it runs."""
    command = [sys.executable, "-m", "deimos.cli.main", "serve", "lab", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = next(line for line in server.stdout if line.startswith("serving "))
            yield next(word for word in line.split() if word.endswith("/v1,")).rstrip(",")
        finally:
            server.terminate()  # what is being answered is answered first


def main() -> None:
    """Print each question's mode with its reason, the tokens it took, and the answer."""
    with serve_lab() as url, OpenAI(base_url=url, api_key="unused") as client:
        for question, more in QUESTIONS:
            raw = client.chat.completions.with_raw_response.create(
                model="lab",
                messages=[{"role": "user", "content": question}],
                temperature=0,
                extra_body=more,
            )
            reply = raw.parse()
            mode, reason = (raw.headers[f"x-deimos-{name}"] for name in ("mode", "reason"))
            assert reply.usage is not None
            print(
                f"{question}\n  thinking {mode}: {reason}; {reply.usage.completion_tokens} tokens"
            )
            print(f"  {(reply.choices[0].message.content or '').strip()}\n")


if __name__ == "__main__":
    main()
