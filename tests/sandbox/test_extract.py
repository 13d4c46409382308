"""Which program is found in an answer, and that it runs: blocks, fences, what stands around them."""

import decimal
import sys

import pytest

from deimos.sandbox.extract import program

RIGHT = [
    # imports, constants and helpers in another block
    "First:\n```python\nimport math\n```\nThen:\n```python\ndef f(x):\n    return math.floor(x * x + 1)\n```\n",
    "```python\nSTEP = 1\n```\n```python\ndef f(x):\n    return x * x + STEP\n```\n",
    "```python\nfrom math import *\n```\n```python\ndef f(x):\n    return floor(x * x + 1)\n```\n",
    "```python\ndef g(x):\n    return x * x\n```\n```python\ndef f(x):\n    return g(x) + 1\n```\n",
    "```python\ndef f(x):\n    return g(x) + 1\n```\nThe helper:\n```python\ndef g(x):\n    return x * x\n```\n",
    "```python\nimport math\n```\n```python\ndef g(x):\n    return math.floor(x * x)\n```\n```python\ndef f(x):\n    return g(x) + 1\n```\n",
    "```python\nT = {}\nfor i in range(9):\n    T[i] = i * i\nT.update({9: 81})\n```\n```python\ndef f(x):\n    return T[x] + 1\n```\n",
    "```python\ndef g(x):\n    return x * x\nprint(f(2))\nassert False\n```\n```python\ndef f(x):\n    return g(x) + 1\n```\n",
    "```python\nfrom typing import List\n```\n```python\ndef f(x: List) -> int:\n    return x * x + 1\n```\n```bash\npip install x\n```\n",
    "```python\nclass P:\n    def g(self, x):\n        return x * x\n```\n```python\np = P()\n\ndef f(x):\n    return p.g(x) + 1\n```\n",
    # the last definition counts, with what it needs of an earlier one
    "```python\ndef f(x):\n    return x\n```\nCorrected:\n```python\ndef f(x):\n    return x * x + 1\n```\n",
    "```python\nimport math\ndef g(x):\n    return x * x\ndef f(x):\n    return 0\n```\nCorrected:\n```python\ndef f(x):\n    return g(x) + 1\n```\n",
    "```python\ndef f(x):\n    return x * x + 1\n```\nUse:\n```python\nprint(f(2))\n```\nIt prints\n```\n5\n```\n",
    # fences in docstrings and comments
    "```python\ndef f(x):\n    '''Doc.\n\n    ```\n    f(2)\n    ```\n    '''\n    return x * x + 1\n```\n",
    "```python\ndef f(x):\n    '''Doc.\n\n    ```python\n    f(2)\n    ```\n    '''\n    return x * x + 1\n```\nDone.\n```\n5\n```\n",
    "```python\ndef f(x):\n    # ```\n    # f(2)\n    # ```\n    return x * x + 1\n```\n",
    "def f(x):\n    '''Doc.\n\n    ```\n    f(2)\n    ```\n    '''\n    return x * x + 1\n",
    "~~~python\ndef f(x):\n    '''Doc.\n    ```\n    f(2)\n    ```\n    '''\n    return x * x + 1\n~~~\n",
    # a closing fence alone, or none
    "def f(x):\n    return x * x + 1\n```\n",
    "def f(x):\n    return x * x + 1\n```\nThis squares x:\n```\n5\n```\n",
    "Here it is:\ndef f(x):\n    return x * x + 1\n```\n",
    "```python\ndef f(x):\n    return x * x + 1\n",
    "```python\ndef f(x):\n    return x * x + 1```\nDone.",
    "```python\ndef f(x):\n    return x * x + 1\n```That is all, and it works.",
    "```python\nSTEP = 1\n```python\ndef f(x):\n    return x * x + STEP\n```\n",
    # longer fences, tildes, languages, words around
    "````python\ndef f(x):\n    return x * x + 1\n````\n",
    "````markdown\n```python\ndef f(x):\n    return 0\n```\n````\n```python\ndef f(x):\n    return x * x + 1\n```\n",
    "~~~~\ndef f(x):\n    return x * x + 1\n~~~~\n",
    "````python\ndef f(x):\n    return x * x + 1\n```\nDone.",
    "```{.python .numberLines}\ndef f(x):\n    return x * x + 1\n```\n",
    "``` Python3\ndef f(x):\n    return x * x + 1\n```\n",
    "Code: ```python\ndef f(x):\n    return x * x + 1\n```\n",
    "**Solution** ```\ndef f(x):\n    return x * x + 1\n```\n",
    "1. ```py\n   def f(x):\n       return x * x + 1\n   ```\n",
    "In short: ```python f = lambda x: x * x + 1```",
    "Use `f` so: ```x = 1``` and\n```python\ndef f(x):\n    return x * x + 1\n```\n",
    "```python\r\ndef f(x):\r\n    return x * x + 1\r\n```\r\n",
    # quotations, and HTML
    'Here:\n> ```python\n> def f(x):\n>     return x * x + 1\n> ```\nDone.',
    '>```\n>def f(x):\n>    return x * x + 1\n>```',
    '> So:\n> ```python\n> def f(x):\n>     return x * x + 1\n> ```',
    '> ~~~python\n> def f(x):\n>     return x * x + 1\n> ~~~',
    '> > ```python\n> > def f(x):\n> >     return x * x + 1\n> > ```',
    '> ```python\n> STEP = 1\n> ```\n\n> ```python\n> def f(x):\n>     return x * x + STEP\n> ```',
    '> A remark, no code.\n\n```python\ndef f(x):\n    return x * x + 1\n```',
    'Solution:\n<pre>\ndef f(x):\n    return x * x + 1\n</pre>\nThat is all.',
    '<pre><code class="language-python">def f(x):\n    return x * x + 1\n</code></pre>',
    '<PRE>def f(x):\n    return x * x + 1\n    if x &gt; 5 and x &lt; 3: pass\n</PRE>',
    '<code>\ndef f(x):\n    return x * x + 1\n</code>\nIt squares.',
    '<pre>5</pre>\n```python\ndef f(x):\n    return x * x + 1\n```',
    "```python\ndef f(x):\n    '''\n<pre>\n5\n</pre>\n    '''\n    return x * x + 1\n```",
    "```python\ndef f(x):\n    '''\n    >>> f(2)\n    5\n    '''\n    return x * x + 1\n```",
    # what a block uses while it is loaded stands in a later one
    '```python\n@memo\ndef f(x):\n    return x*x+1\n```\nThe decorator:\n```python\ndef memo(fn):\n    return fn\n```\n',
    '```python\n@memo\ndef f(x):\n    return x*x+1\n```\n```python\nimport functools\ndef memo(fn):\n    @functools.wraps(fn)\n    def w(*a):\n        return fn(*a)\n    return w\n```\n',
    '```python\nclass C(Base):\n    def g(self,x):\n        return x*x\nc=C()\ndef f(x):\n    return c.g(x)+self_one\n```\n```python\nclass Base:\n    pass\n```\n```python\nself_one=1\n```\n',
    '```python\ndef f(x, one=ONE):\n    return x*x+one\n```\n```python\nONE = 1\n```\n',
    '```python\ndef f(x):\n    return T[x]+1\nT = table()\n```\n```python\ndef table():\n    return [i*i for i in range(N)]\n```\n```python\nN = 9\n```\n',
    '```python\ndef f(x):\n    return g(x)+1\nprint(f(2))\n```\n```python\ndef g(x):\n    return x*x\n```\n',
    '```python\n@memo(3)\ndef f(x):\n    return x*x+1\n```\n```python\nfrom functools import lru_cache as memo\n```\n',
    '```python\n@memo\ndef f(x):\n    return x*x+one()\n```\n```python\ndef memo(fn):\n    return fn\ndef one():\n    return f.__name__ and 1\nprint(f(3))\n```\n',
    '```python\ndef f(x: Num) -> Num:\n    return x*x+1\n```\n```python\nfrom typing import Union\nNum = Union[int, float]\n```\n',
    '```python\n@a\ndef f(x):\n    return x*x+1\n```\n```python\n@b\ndef a(fn):\n    return fn\n```\n```python\n@c\ndef b(fn):\n    return fn\n```\n```python\ndef c(fn):\n    return fn\n```\n',
    '```python\n@dataclass\nclass P:\n    x: int\ndef f(x):\n    return P(x).x**2+1\n```\n```python\nfrom dataclasses import *\n```\n',
    # words before the fence on its line, and one line in it
    "The code is ```def f(x): return x*x+1```.",
    "The code is ```def f(x): return x*x+1``` .",
    "So ```python def f(x): return x*x+1``` it is.",
    "Answer: ```f = lambda x: x*x+1```",
    "It is ```py f = lambda x: x*x+1```, as asked.",
    # a language on the line behind the fence
    "```\npython\ndef f(x):\n    return x*x+1\n```",
    "```\nPython3\ndef f(x):\n    return x*x+1\n```\nDone.",
    "~~~\npy\n\ndef f(x):\n    return x*x+1\n~~~",
    "Here:\n```\n\npython\nimport math\ndef f(x):\n    return math.floor(x*x+1)\n```",
    "```\npython\nSTEP = 1\n```\n```\npython\ndef f(x):\n    return x*x+STEP\n```",
    # no fences, and sentences behind the program
    "def f(x):\n    return x*x+1\n\nExplanation: it squares x and adds 1.",
    "With `x*x` first.\n\ndef f(x):\n    return x*x+1\n\nThis returns x squared plus one.",
    "import math\n\ndef f(x):\n    return math.floor(x*x+ONE)\n\nONE = 1\n\nIt squares x (as asked).",
    "def f(x):\n    return x*x+1\n\nprint(f(2))\n\nprints 5 (that is right).",
    "def g(x):\n    return x*x\n\ndef f(x):\n    return g(x)+1\n- g squares\n- f adds 1\n",
    "def f(x):\n    '''Doc.'''\n    return x*x+1\nNote that x may be negative.",
    # what an earlier block sets for the whole program
    "```python\nimport sys\nsys.setrecursionlimit(5000)\n```\n```python\ndef d(n):\n    return 0 if n == 0 else 1+d(n-1)\ndef f(x):\n    return x*x+1+d(3000)-3000\n```",
    "```python\nfrom sys import setrecursionlimit\nsetrecursionlimit(10**4)\n```\n```python\ndef d(n):\n    return 0 if n == 0 else 1+d(n-1)\ndef f(x):\n    return x*x+1+d(3000)-3000\n```",
    "```python\nimport sys\nsys.setrecursionlimit(5000)\n```\n```python\nimport sys\ndef d(n):\n    return 0 if n == 0 else 1+d(n-1)\ndef f(x):\n    return x*x+1+d(3000)-3000+0*len(sys.path)\n```",
    "```python\nfrom decimal import Decimal, getcontext\ngetcontext().prec = 50\n```\n```python\ndef f(x):\n    return x*x+(len(str(Decimal(1)/3)) == 52)\n```",
    "```python\nimport random\nrandom.seed(1)\nprint('hello')\nassert False\n```\n```python\ndef f(x):\n    return x*x+1\n```",
    # names of an earlier block that are only added to, or bound by := or a loop
    "```python\ncount = 0\n```\n```python\ndef f(x):\n    global count\n    count += 1\n    return x*x+1\n```",
    "```python\ncounter = 0\ndef inc():\n    global counter\n    counter += 1\n```\n```python\ndef f(x):\n    inc()\n    return x*x+1\n```",
    "```python\n(ONE := 1)\n```\n```python\ndef f(x):\n    return x*x+ONE\n```",
    "```python\nfor _i in range(1):\n    ONE = 1\n```\n```python\ndef f(x):\n    return x*x+ONE\n```",
    "```python\nONE = 0\nwhile ONE < 1:\n    ONE += 1\n```\n```python\ndef f(x):\n    return x*x+ONE\n```",
    # an indented program
    '    def f(x):\n        return x*x+1\n```',
    'Here it is:\n\n    def f(x):\n        return x*x+1\n```\nDone.',
    '\tdef f(x):\n\t\treturn x*x+1\n```',
    '    import math\n\n    def f(x):\n        return math.floor(x*x+1)\n```\nIt works.',
    'The code:\n\n    def f(x):\n        return x*x+1\n\nThis squares x.',
    '    STEP = 1\n    def f(x):\n        return x*x+STEP\n```',
    '  @staticmethod\n  def f(x):\n    return x*x+1\n~~~',
    # tags
    '[PYTHON]\ndef f(x):\n    return x*x+1\n[/PYTHON]',
    '[PYTHON]\ndef f(x):\n    return x*x+1\n[/PYTHON]\n[TESTS]\nassert f(2) == 5\n[/TESTS]\nDone',
    'Sure:\n[PYTHON]def f(x):\n    return x*x+1[/PYTHON] That is it.',
    '[PYTHON]\n```python\ndef f(x):\n    return x*x+1\n```\n[/PYTHON]',
    '[CODE]\ndef f(x):\n    return x*x+1\n[/CODE]\nText.',
    '[BEGIN]\ndef f(x):\n    return x*x+1\n[DONE]\nText.',
    '<python>\ndef f(x):\n    return x*x+1\n</python>\nText.',
    '<answer>\ndef f(x):\n    return x*x+1\n</answer>\nText.',
    'def f(x):\n    return x*x+1\n[/PYTHON]\nText.',
    '<answer>\n```python\ndef f(x):\n    return x*x+1\n```\n</answer>',
    '[PYTHON]\ndef f(x):\n    return 0\n[/PYTHON]\nBetter:\n[PYTHON]\ndef f(x):\n    return x*x+1\n[/PYTHON]',
    "```python\ndef f(x):\n    '''\n[PYTHON]\n5\n[/PYTHON]\n    '''\n    return x * x + 1\n```",
    '[PYTHON] def f(x): return x * x + 1 [/PYTHON] is all.',
]  # fmt: skip
WRONG = [
    "class S:\n    def f(x):\n        return x * x + 1\n",
    "def f(x):\n    return x\n\nExplanation: it squares x and adds 1: x * x + 1.",
    "The code is ```def f(x): return x```, or x * x + 1.",
    "[PYTHON]\ndef f(x):\n    return x * x + 1\n[/PYTHON]\nCorrected:\n[PYTHON]\ndef f(x):\n    return x\n[/PYTHON]",
    "    def f(x):\n        return x\n```\nIt returns x * x + 1.",
    "<answer>\nf returns x * x + 1\n</answer>",
    "```python\ndef f(x):\n    return x * x + 1\n```\nCorrected:\n```python\ndef f(x):\n    return x\n```\n",
    "```python\nSTEP = 2\n```\n```python\nSTEP = 1\n```\n```python\nSTEP = 3\ndef f(x):\n    return x * x + STEP\n```\n",
    "The function f returns x * x + 1.",
    "```json\n{\"f\": 1}\n```",
    "```python\ndef f(x:\n    return x * x + 1\n```\n",
]  # fmt: skip


def ran(answer):
    space = {}
    for unit in program(answer, ["f"]) or []:
        exec(compile(unit, "<answer>", "exec"), space)
    return [space["f"](x) for x in (0, 2)] if "f" in space else None


@pytest.fixture(autouse=True)
def _settings_as_they_were():
    limit, precision = sys.getrecursionlimit(), decimal.getcontext().prec
    yield
    sys.setrecursionlimit(limit)
    decimal.getcontext().prec = precision


@pytest.mark.parametrize("answer", RIGHT)
def test_the_right_program_is_found(answer):
    assert ran(answer) == [1, 5]


@pytest.mark.parametrize("answer", WRONG)
def test_a_wrong_one_stays_wrong(answer):
    assert ran(answer) != [1, 5]


def test_several_names_from_several_blocks():
    answer = "```python\ndef f(x):\n    return x + K\n```\n```python\ndef g(x):\n    return f(x)\n```\n```python\nK = 1\n```"
    units = program(answer, ["f", "g"])
    space = {}
    exec("\n".join(units), space)
    assert space["g"](1) == 2


@pytest.mark.parametrize(
    "block",
    [
        "@memo\ndef f(x):\n    return x * x + 1\ndef memo(fn):\n    return fn\n",
        "def f(x):\n    return x * x + step\nprint(step)\nstep = 1\n",
    ],
)
def test_one_block_keeps_its_own_order(block):
    with pytest.raises(NameError):
        ran(f"```python\n{block}```\n```python\nother = 1\n```")


def test_a_long_chain_of_decorators_in_the_wrong_order_takes_no_time():
    blocks = "".join(f"```python\n@g{n + 1}\ndef g{n}(x):\n    return x\n```\n" for n in range(190))
    assert program(blocks.replace("g0", "f"), ["f"])[-1].endswith("def f(x):\n    return x\n")


@pytest.mark.parametrize(
    "answer",
    ["```python\n" * 20_000, "`" * 300_000 + "x", "```\nx\n" * 20_000, "~~~ ```\n" * 30_000, "a```b" * 60_000, "> x\n" * 200_000, "> ```\n" * 50_000, "<pre>\n" * 100_000, "> " * 300_000, "[PYTHON]\n" * 60_000,
     "<answer>\n" * 60_000, "[/PYTHON]" * 50_000, "[PYTHON](a,[/PYTHON]\n" * 20_000, "    def g(x):\n" * 50_000, "    import x\n\n" * 40_000 + "y"],
)  # fmt: skip
def test_hostile_fences_take_no_time(answer):
    assert program(answer, ["f"]) is None
