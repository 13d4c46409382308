"""Hello, Deimos: judge three answers to one question.

Run it: python examples/101_hello.py
"""

import asyncio

from deimos import Prompt
from deimos.graders import Judge

QUESTION = Prompt.of(
    task="hello", kind="math", reference="1/2",
    messages=[{"role": "user", "content": "What is the probability of heads?"}],
)  # fmt: skip
ANSWERS = (r"It is \boxed{0.5}.", r"The answer is $\frac{2}{4}$.", r"It is \boxed{1/3}.")


async def main() -> None:
    """Print each answer with its verdict."""
    with Judge({"math": "math"}) as judge:
        for answer in ANSWERS:
            verdict = await judge(QUESTION, answer)
            print(f"{'right' if verdict.ok else 'wrong'}  {answer:<32} {verdict.because}")


if __name__ == "__main__":
    asyncio.run(main())
