r"""References that are damaged formulas: brackets that don't pair, half an equation, commands that TeX has not.

Formulas that have no value (a division by zero) are refused too.
What is merely not read here (integrals, limits, a row of a matrix that lost a backslash) is let through:
its verdicts are null. Not covered: a formula that is whole, and wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from deimos.graders.math.commands import INFIX, RELATIONS
from deimos.graders.math.exact import Inexact, Point, Undefined, exact
from deimos.graders.math.reading import Element, read
from deimos.graders.math.tokens import Node, Unreadable, word_set

_BROKEN = re.compile(
    r"a bracket is not closed|it ends too early|'[^']+' is missing|a matrix does not end"
    r"|'[)\]}]+' where nothing is expected|'[^'\\}]+' where a value is expected"
)
_TOO_LARGE = "a power too large to work out"
_BY_ZERO = "a division by zero"
_POINTS = 3
"""Values of letters at which a divisor must be zero to be it always: ``x-x``, not ``x-1``."""
_EMPTY_ARGUMENT = re.compile(r"(?:\\[dt]?frac\s*(?:\{[^{}]*\})?|\\sqrt|[\w)}]\s*\^)\s*\{\s*\}")
_COMMAND = re.compile(r"the command '([A-Za-z]+)'")
JOINING = frozenset({*RELATIONS, *INFIX})
_GIVEN = re.compile(
    r"(\b(?:P|Pr|E|p|f|Var)\s*\([^()|]{1,40})(?:\\mid(?![A-Za-z])|\|)([^()|]{1,40}\))"
)
_MARK = re.compile(
    r"(?<=[A-Za-z})])\s*\^\s*(?:\{\s*[+*-]\s*\}|[+*-](?=\s*(?:$|[,)=]))|\\(?:ast|dagger|times)(?![A-Za-z]))"
)
_MASS_NUMBER = re.compile(
    r"^\s*(?:\{\})?\^\s*\{?\d{1,3}\}?\s*(?:_\s*\{?\d{1,3}\}?\s*)?(?=\\(?:text|mathrm)|[A-Z])"
)
_ALONE = re.compile(
    r"(?:\\(?:int|iint|iiint|oint|lim|limsup|liminf|sum|prod|ldots|cdots|dots|vdots|quad|left|right)(?![A-Za-z])|…|\.{3})"
)
_JOINT_ALONE = re.compile(
    r"(?:^\s*(?:and|or)\s+|\s(?:and|or)\s*$)|^\s*\\text\{\s*(?:and|or)\s*\}|\\text\{\s*(?:and|or)\s*\}\s*$"
)
_GLUED = 3
r"""Letters that may have lost the blank before them: ``\pir``, ``\triangleABC``."""
_TEX = word_set(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi omicron pi varpi rho varrho"
    " sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
    " aleph beth hbar imath jmath ell wp Re Im partial infty prime emptyset varnothing nabla surd top bot angle measuredangle"
    " triangle forall exists nexists neg flat natural sharp clubsuit diamondsuit heartsuit spadesuit Box square blacksquare"
    " diamond Diamond lozenge star bigstar circ bullet cdot cdots ldots dots dotsc dotsb vdots ddots times div pm mp ast cap cup"
    " uplus sqcap sqcup vee wedge lor land setminus smallsetminus wr bigcirc dagger ddagger amalg oplus ominus otimes oslash odot"
    " le leq leqslant leqq ge geq geqslant geqq ne neq lt gt ll gg prec succ preceq succeq sim simeq approx approxeq cong equiv"
    " doteq propto models perp mid nmid parallel nparallel bowtie smile frown asymp subset supset subseteq supseteq subsetneq"
    " supsetneq nsubseteq sqsubset sqsupset in notin ni vdash dashv to gets leftarrow rightarrow Leftarrow Rightarrow"
    " leftrightarrow Leftrightarrow longleftarrow longrightarrow Longrightarrow Longleftrightarrow mapsto longmapsto uparrow"
    " downarrow updownarrow nearrow searrow swarrow nwarrow iff implies impliedby hookrightarrow rightharpoonup"
    " rightleftharpoons leadsto therefore because sum prod coprod int iint iiint iiiint oint idotsint bigcap bigcup bigvee"
    " bigwedge bigoplus bigotimes bigodot biguplus lim limsup liminf sup inf max min arg deg det dim exp gcd lcm hom ker lg ln log"
    " Pr sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech csch arcsinh arccosh arctanh"
    " bmod pmod mod pod operatorname operatornamewithlimits frac dfrac tfrac cfrac binom dbinom tbinom choose sqrt root over atop"
    " overline underline overbrace underbrace overset underset stackrel substack hat widehat bar vec dot ddot dddot tilde"
    " widetilde acute grave breve check mathring overrightarrow overleftarrow overleftrightarrow overarc wideparen left right"
    " middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr lfloor rfloor lceil rceil langle rangle lvert rvert lVert rVert"
    " vert Vert lbrace rbrace lbrack rbrack backslash begin end text textbf textit textrm textsf texttt textnormal textstyle"
    " displaystyle scriptstyle scriptscriptstyle mathrm mathbf mathit mathsf mathtt mathbb mathcal mathfrak mathscr mathop"
    " mathbin mathrel mathord mathopen mathclose boldsymbol bm pmb bf it rm sf tt cal mbox hbox vbox fbox boxed quad qquad hspace"
    " vspace hskip kern mkern phantom hphantom vphantom smash strut limits nolimits not cancel bcancel xcancel cancelto color"
    " textcolor colorbox tag label ref eqref hline cline multicolumn underbracket overbracket degree celsius ohm micro per unit"
    " pounds euro yen dollar textdegree textdollar permil complement eth hslash mho Finv Bbbk digamma varkappa gimel daleth"
    " checkmark circledast circledcirc boxplus boxtimes boxdot ltimes rtimes curlyvee curlywedge divideontimes dotplus Cap Cup"
    " arcmin arcsec sgn tr rank N Z Q R C F P E"
)


def refuse_damaged(reference: str) -> None:
    """Refuse a reference that is half a formula, or too large for any answer to be compared with it.

    Raises:
        ValueError: one sentence about what is wrong with it.
    """
    reading = read(reference)
    trouble = reading.trouble
    if trouble and not read(softened := _soften(reference)).trouble and softened != reference:
        return  # sound notation that is not read: an answer must be spelled like it
    shown = repr(reference if len(reference) <= 60 else reference[:57] + "…")
    if reference.lstrip(" $({").startswith("="):
        raise ValueError(f"the reference {shown} is no whole formula: '=' has no left side")
    if _ALONE.fullmatch(reference.strip(" \n$")) or _JOINT_ALONE.search(reference):
        raise ValueError(f"the reference {shown} is no whole formula: something is missing in it")
    if _BROKEN.fullmatch(trouble) or (trouble and _EMPTY_ARGUMENT.search(reference)):
        raise ValueError(f"the reference {shown} is no whole formula: {trouble}")
    if _TOO_LARGE in trouble:
        raise ValueError(f"the reference {shown} has {_TOO_LARGE}")
    if trouble == _BY_ZERO or any(map(_has_no_value, _formulas_of(reading.parts))):
        raise ValueError(
            f"the reference {shown} has no value: it divides by zero, or takes the logarithm of zero"
        )
    command = _COMMAND.match(trouble)
    if command and f"\\{command[1]}" in JOINING:
        raise ValueError(f"the reference {shown} is no whole formula: \\{command[1]} joins nothing")
    if command and not _is_of_tex(command[1]):
        raise ValueError(f"the reference {shown} has \\{command[1]}, which is no command of TeX")


def _soften(reference: str) -> str:
    r"""A reference without notation that is sound and not read: ``P(A \mid B)``, ``\mathbb{Z}^+``, ``z^*``, ``^{14}\text{C}``."""
    return _MASS_NUMBER.sub("", _MARK.sub("", _GIVEN.sub(r"\1, \2", reference)))


def _is_of_tex(command: str) -> bool:
    return any(command[: len(command) - letters] in _TEX for letters in range(_GLUED + 1))


def _formulas_of(parts: Iterable[Element]) -> Iterator[Node]:
    """All formulas of a reference, inner ones too."""
    waiting = [part.node for part in parts if part.node is not None]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.parts


def _has_no_value(node: Node) -> bool:
    """Whether a formula is a fraction over zero, a negative power of zero or zero's logarithm."""
    if node.kind == "quotient":
        return _is_zero(node.parts[1])
    if node.kind == "power":
        base, exponent = node.parts
        return exponent.kind == "negative" and _is_zero(base) and not _is_zero(exponent)
    return node.kind == "function" and node.data in ("log", "ln", "lg") and _is_zero(node.parts[0])


def _is_zero(node: Node) -> bool:
    try:
        return all(exact(node, Point(index)) == 0 for index in range(_POINTS))
    except (Inexact, Undefined, Unreadable):
        return False
