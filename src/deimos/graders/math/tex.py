r"""One spelling for the many ways in which the same formula is typed.

``clean`` takes away what only dresses a formula (colours, bold type, spacing, delimiters), writes
Unicode mathematics as TeX (``2√5``, ``½``, ``x²``) and joins digit groups (``25\ 000``). What it returns
is still TeX or plain text: nothing is computed, and no letter or number is dropped.
"""

from __future__ import annotations

import re
import unicodedata

from deimos.graders.math.limits import LENGTH

_SIGNS = {
    "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ", "÷": "/", "⁄": "/", "∕": "/",
    "≤": "\\le ", "⩽": "\\le ", "≥": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≈": "\\approx ", "∞": "\\infty ",
    "±": "\\pm ", "∓": "\\mp ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in ", "∉": "\\notin ", "∅": "\\emptyset ",
    "∖": "\\setminus ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℚ": "\\mathbb{Q}", "ℕ": "\\mathbb{N}", "ℂ": "\\mathbb{C}",
    "°": "\\degree ", "º": "\\degree ", "˚": "\\degree ", "′": "'", "’": "'", "″": "''", "∠": "\\angle ", "△": "\\triangle ",
    "⟨": "(", "⟩": ")", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "∑": "\\sum ", "∏": "\\prod ",
    "∫": "\\int ", "…": "\\ldots ", "∧": " and ", "∨": " or ", "∣": "|", "→": "\\to ", "∂": "\\partial ", "ℓ": "\\ell ",
    "≡": "\\equiv ", "¢": "\\text{ cents}", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ϵ": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi",
    "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "ϕ": "phi", "χ": "chi",
    "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi",
    "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_UNICODE = str.maketrans(_SIGNS | {letter: f"\\{name} " for letter, name in _GREEK.items()})
_RAISED = {
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")),
}
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ₙₖᵢⱼₓ", "0123456789+-nkijx"))
_STYLED = re.compile("[\U0001d400-\U0001d7ff]+")
"""Letters and digits in mathematical type, of which some are Greek."""
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]+")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]+")
_ROOT_SIGN = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[A-Za-z]|\\[A-Za-z]+)?)")
_ROOTS = {"√": "\\sqrt", "∛": "\\sqrt[3]", "∜": "\\sqrt[4]"}

_COLOUR = re.compile(
    r"\\(?:textcolor|colorbox)\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\}\s*(?=\{)|\\color\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\}"
)
_BOLD_REALS = re.compile(
    r"(\\in\s*|^)\\(?:mathbf|boldsymbol|bm)\s*(?:\{\s*([RZQN])\s*\}|([RZQN])(?![A-Za-z]))(?=\s*(?:\\mid|\||:|\\setminus|\\backslash|-|,|$))"
)
_THEREFORE = re.compile(r"^(?:\\(?:therefore|because|implies|Rightarrow)(?![A-Za-z])\s*)+")
_LEADING_EQUALS = re.compile(r"^=\s*(?=[^\s=<>])")
"""Of a result without its left side: ``= 12``."""
_COMMA_IN_TEXT = re.compile(r"\\text\{\s*([,;])\s+\}")
_FORMULA_IN_TEXT = re.compile(r"\\text\{\s*\$([^$]*)\$\s*\}")
_MODULUS = re.compile(
    r"(\\equiv[^=]{1,60}?)\s*\(?\s*(?:\\b?mod(?![A-Za-z])|\\text\{\s*\(?\s*mod\s*\}|(?<![A-Za-z\\{])mod(?![A-Za-z]))\s*\{?\s*(\w{1,20})\s*\}?\s*\)?$"
)
_REVERSED = re.compile(
    r"((?:[A-Za-z]\s*\\in\s*)?)([\[\]])([^\[\]();,]{1,80}[;,][^\[\]();,]{1,80})([\[\]])"
)
"""``]1;4[`` is an open interval, ``[1;4[`` one that is open at its end."""
_CIS_IN_TEXT = re.compile(r"\\text\{\s*cis\s*\}(?=\s*[\d\\(A-Za-z])")
_DRESS = re.compile(
    r"\\(?:boldsymbol|mathbf|bold|bm|pmb|mathit|mathsf|mathtt|mathnormal|underline|ensuremath|boxed|fbox"
    r"|mathord|displaylines|hbox)\s*(?=\{|\\[A-Za-z]|[A-Za-z0-9])"
)
_UPRIGHT_SWITCH = re.compile(r"\{\s*\\(?:rm|text|tt|sf|textrm)\b\s*([^{}\\]*)\}")
_SWITCH = re.compile(
    r"\\(?:bf|it|rm|sf|tt|em|bfseries|itshape|displaystyle|textstyle|scriptstyle|limits|nolimits|tiny|small"
    r"|normalsize|large|Large|LARGE|huge|Huge|strut|mathstrut|null|relax|nonumber|notag|!|centering)(?![A-Za-z])\s?"
)
_SIZE = re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*(\.)?")
_SKIP = re.compile(
    r"\\(?:tag|label|hspace|vspace|hskip|kern|phantom|hphantom|vphantom|cline)\*?\s*\{[^{}]*\}"
)
_NEGATIVE_SPACE = re.compile(r"\s*\\!\s*")
_SPACE = re.compile(
    r"(?<!\\)\\[,;:> \n]|~|\\q?quad(?![A-Za-z])|\\(?:thin|med|thick|en)?space(?![A-Za-z])"
)
_TEXT = re.compile(
    r"\\(?:textbf|textrm|textit|textnormal|textsf|texttt|textup|textmd|mathrm|mbox|emph|text)\s*\{"
)
_UPRIGHT_LETTER = re.compile(r"(?<!_)\\text\{\s*([ied])\s*\}")
_UPRIGHT_BARE = re.compile(
    r"\\(?:mathrm|textrm|operatorname)\s*(?:([ied])(?![A-Za-z])|\{\s*([ied])\s*\})"
)
_POWER_OF_TEN = re.compile(
    r"(?<=\d)\s*\\(?:text|mathrm|textrm)\s*\{\s*[eE]\s*\}\s*\{?\s*([-+]?\d{1,4})\s*\}?"
)
r"""The exponent of ``4.7\mathrm{e}{-3}``."""
_NUMBERS_IN_TEXT = re.compile(
    r"\\text\{\s*(-?\d[\d.]*(?:,\s*(?:and\s)?-?\d[\d.]*|\s(?:and|or)\s-?\d[\d.]*)+|\d+(?:st|nd|rd|th))\s*\}"
)
_LETTER_X = re.compile(r"(?<=\d)\s+[xX]\s+(?=\$?\d)|(?<=[\d.])\s?[xX]\s?(?=10\s?\^)")
"""The sign of multiplication in "0.2 x 50"."""
_BASE_DIGIT = re.compile(r"\\log\s?_\s?(\d)(?=\s?[\dA-Za-z(\\])")
"""TeX takes one digit: ``\\log_23`` is the logarithm of 3."""
_UPRIGHT_FUNCTION = re.compile(r"\\text\{\s*(sin|cos|tan|cot|sec|csc|log|ln|exp|gcd|lcm)\s*\}")
_TEXT_WITH_NUMBER = re.compile(
    r"\\text\{\s*([-+]?(?:\\?\$)?\d[\d.,/]*)((?:\s+|\s*%)[A-Za-z%][^{}]*|\s*%?)\}(?!\s*_)"
)
_DEGREES = re.compile(
    r"\^\s*(?:\{\s*\\(?:circ|degree)\s*\}|\\(?:circ|degree)(?![A-Za-z]))|\\(?:text)?degree(?![A-Za-z])\s?"
)
_PRIMES = re.compile(r"\^\s*(?:\{\s*((?:\\prime\s*)+)\}|(\\prime)(?![A-Za-z]))")
_RATIO_IN_TEXT = re.compile(r"\\text\{\s*(\d+(?:\s*:\s*\d+)+)\s*\}")
_FRACTION_IN_TEXT = re.compile(
    r"\\text\{\s*(-?\s*\\(?:[dtc]?frac|sqrt)\s*(?:\[[^\[\]]*\]\s*)?(?:\{[^{}]*\}\s*){1,2})\}"
)
_TEXT_COMMAND = re.compile(r"\\text\{\s*(\\(?!text|\$)[A-Za-z]+)\s*\}")
_SUPERSCRIPT = re.compile(r"\\textsuperscript\s*\{\s*(st|nd|rd|th)\s*\}")
_ALIGNED = re.compile(r"&\s*(=|<|>|\\[lg]eq?(?![A-Za-z]))")
_ROWS = re.compile(
    r"\\begin\{(?P<name>aligned|align|alignat|alignedat|split|gathered|gather|eqnarray|multline|equation|array|cases)\*?\}(?:\{[^{}]{0,20}\})?"
    r"(?P<rows>(?:(?!\\begin).){0,3000}?)\\end\{(?P=name)\*?\}",
    re.DOTALL,
)
_LEFT_BRACE = re.compile(
    r"\\left\s*\\(?:\{|lbrace)\s*\\begin\{(array|aligned|matrix|gathered)\}(.{1,3000})\\end\{\1\}\s*\\right\s*\.",
    re.DOTALL,
)
"""A system of equations behind a brace, which ``cases`` writes too."""
_NO_EQUATION = re.compile(
    r"&(?!\s*(?:=|<|>|\\[lg]eq?(?![A-Za-z])))|\\(?:text|mbox|textrm|mathrm)(?![A-Za-z])"
)
"""What a function of several cases has in its rows, and a system of equations has not."""
_RELATION = re.compile(r"=|<|>|≤|≥|≈|\\(?:[lg]eq?|approx|sim|lt|gt)(?![A-Za-z])")
_ROW_GOES_ON = re.compile(r"\\\\\s*&?\s*&?\s*=")
_GROUP = re.compile(r"\{[^{}]*\}")
_INFIX = re.compile(r"\\(?:over|choose)(?![A-Za-z])")
_NESTED_TEXT = re.compile(r"\\text\{\s*\\text\{([^{}]*)\}\s*\}")
_POWER_IN_TEXT = re.compile(r"(\\text\{[^{}]*\^)\{\s*(-?\d)\s*\}")
_TEMPERATURE = re.compile(r"\\degree\s*([CF])(?![A-Za-z])")
_RENAMES = {
    "dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "nicefrac": "frac", "sfrac": "frac",
    "dbinom": "binom", "tbinom": "binom", "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge",
    "neq": "ne", "varnothing": "emptyset", "empty": "emptyset", "infin": "infty", "dots": "ldots",
    "cdots": "ldots", "dotsc": "ldots", "lbrace": "{", "rbrace": "}", "imath": "i ", "jmath": "j ",
    "backslash": "setminus", "smallsetminus": "setminus", "varepsilon": "epsilon", "varphi": "phi",
    "vartheta": "theta", "lnot": "neg", "lor": "vee", "land": "wedge", "ast": "cdot", "bullet": "cdot",
    "colon": ":", "lt": "<", "gt": ">", "vert": "|", "lvert": "|", "rvert": "|", "langle": "(",
    "rangle": ")", "lparen": "(", "rparen": ")", "lbrack": "[", "rbrack": "]", "div": "/", "Re": "mathrm",
}  # fmt: skip
_RENAMED = re.compile(r"\\(" + "|".join(sorted(set(_RENAMES) - {"Re"}, key=len, reverse=True)) + r")(?![A-Za-z])")  # fmt: skip
_SIGN_NAMES = frozenset(":<>|()[]/")
_DECIMAL_COMMA = re.compile(r"(?<!\{,\})(?<!\d)(\d+)\{,\}(\d+)(?!\{,\}|\d)")
_DIGIT_GROUPS = re.compile(
    r"(?<![\d.,\\/_^])(?<!\d )([1-9]\d{0,2})((?: \d{3})+)(?!\d| ?/|,?\d| \d)"
)
_DOLLARS = re.compile(r"(?<!\\)\$")
_BRACKETED = (("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("__", "__"), ("`", "`"))
_LAST = re.compile(r"(?:\s|\\\\|[,;]|(?<!\.)\.)+$")


def clean(expression: str) -> str:
    r"""One spelling of an expression: no delimiters, no dress, Unicode as TeX, digit groups joined.

    ``\dfrac``, ``\leq`` and other second names get their first name; every kind of upright text
    becomes ``\text{…}``. Texts beyond the limits are only stripped.
    """
    text = expression.strip()
    if len(text) > LENGTH or (text.isalnum() and text.isascii()):
        return text
    if not text.isascii():
        text = _ascii(text)
    text = _undelimited(_FORMULA_IN_TEXT.sub(r"{\1}", text))
    text = _LETTER_X.sub(r" \\times ", _joined_rows(text))
    if "\\" in text or "{" in text or "~" in text or "&" in text:
        text = _undressed(text)
    text = _LEADING_EQUALS.sub("", " ".join(text.split()))
    if reversed_ := _REVERSED.fullmatch(text):
        text = _turned_brackets(reversed_)
    if text.endswith("\\") and not text.endswith("\\\\"):
        text = text[:-1].rstrip()  # of "\ ", a space
    text = _DIGIT_GROUPS.sub(lambda m: m[1] + m[2].replace(" ", ""), text)
    text = _LAST.sub("", text).strip()
    while (inner := _inside_braces(text)) and ("," not in inner or expression.lstrip()[0] == "\\"):
        text = _LAST.sub("", inner).strip()  # braces with a comma of somebody's own are a set
    return f"{{{text}}}" if _INFIX.search(_GROUP.sub("", text)) else text


def _joined_rows(text: str) -> str:
    r"""The rows of a display as one chain: a row that begins with a relation goes on from the one before.

    Other rows stand beside each other, as between commas.
    """
    if brace := _LEFT_BRACE.fullmatch(text):
        text = f"\\begin{{cases}}{brace[2]}\\end{{cases}}"
    match = _ROWS.fullmatch(text)
    if match is None or (match["name"] == "array" and not _ROW_GOES_ON.search(match["rows"])):
        return text  # an array may be a matrix
    rows = re.split(r"\\\\(?:\[[^\[\]]*\])?", match["rows"])
    if match["name"] == "cases" and not all(map(_is_equation, filter(str.strip, rows))):
        return text  # a function of several cases
    joined = ""
    for row in rows:
        said = " ".join(row.replace("&", " ").split()).rstrip(" ,.;")
        if said and joined:
            joined += f" {said}" if _RELATION.match(said) else f", {said}"
        else:
            joined += said
    return joined


def _is_equation(row: str) -> bool:
    return _RELATION.search(row) is not None and _NO_EQUATION.search(row) is None


def _inside_braces(text: str) -> str:
    """What one pair of braces holds, if it holds everything; else nothing."""
    if text[:1] != "{" or text[-1:] != "}" or text[-2:-1] == "\\":
        return ""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if depth == 0 and at < len(text) - 1:
            return ""
    return text[1:-1].strip()


def _ascii(text: str) -> str:
    """Unicode mathematics as TeX; what is left is normalised (NFKC), and what has no width goes."""
    text = _RAISED_RUN.sub(lambda m: "^{" + "".join(_RAISED[c] for c in m[0]) + "}", text)
    text = _LOWERED_RUN.sub(lambda m: "_{" + "".join(_LOWERED[c] for c in m[0]) + "}", text)
    for sign in set(text):
        if unicodedata.decomposition(sign).startswith("<fraction>"):
            top, _, bottom = unicodedata.normalize("NFKC", sign).partition("⁄")
            text = text.replace(sign, f" \\frac{{{top}}}{{{bottom}}}")
        elif unicodedata.category(sign) == "Cf":
            text = text.replace(sign, "")
    text = _STYLED.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text).translate(_UNICODE)
    text = _ROOT_SIGN.sub(
        lambda m: f"{_ROOTS[m[1]]}{{{m[2] if m[2] is not None else m[3]}}}" if m[2] is not None or m[3] else _ROOTS[m[1]],
        text,
    )  # fmt: skip
    return unicodedata.normalize("NFKC", text)


def _undelimited(text: str) -> str:
    r"""Without ``$…$``, ``\(…\)``, ``**…**``; a lone ``$`` is a currency and stays."""
    text = text.replace("$$", "$ $")
    if len(_DOLLARS.findall(text)) % 2 == 0:
        text = _DOLLARS.sub(" ", text)
    elif text.count("$") > 1:
        text = re.sub(r"(?<!\\)\$(?=\d)", "", text)  # prices, each with its sign
    text = text.strip()
    for opening, closing in _BRACKETED:
        if text.startswith(opening) and len(text) > len(opening) + len(closing):
            inner = text[len(opening) :].rstrip(" .")
            if inner.endswith(closing) and closing not in inner[: -len(closing)]:
                text = inner[: -len(closing)].strip()
    return text.replace("\\(", " ").replace("\\)", " ") if "\\(" in text else text


def _undressed(text: str) -> str:
    text = _THEREFORE.sub("", text)
    text = _BOLD_REALS.sub(lambda m: f"{m[1]}\\mathbb{{{m[2] or m[3]}}}", text)
    text = _SKIP.sub("", _COLOUR.sub("", text))
    text = _NEGATIVE_SPACE.sub("", text)
    text = _SPACE.sub(" ", text)
    text = _UPRIGHT_SWITCH.sub(r"\\text{\1}", text)
    text = _DRESS.sub("", _SWITCH.sub("", text))
    text = _SIZE.sub("", text)
    text = _UPRIGHT_BARE.sub(lambda m: f" {m[1] or m[2]} ", _POWER_OF_TEN.sub(r"e\1", text))
    text = _BASE_DIGIT.sub(r"\\log_{\1} ", text)
    text = _TEXT.sub(r"\\text{", text)
    text = _RATIO_IN_TEXT.sub(r"\1", _FRACTION_IN_TEXT.sub(r"\1", text))
    text = _TEXT_COMMAND.sub(r"\1 ", _SUPERSCRIPT.sub(r"^{\\text{\1}}", text))
    text = _ALIGNED.sub(r"\1", text)
    text = _NESTED_TEXT.sub(r"\\text{\1}", text)
    text = _POWER_IN_TEXT.sub(r"\1\2", text)
    text = _PRIMES.sub(lambda m: "'" * m[0].count("prime"), text)
    text = _UPRIGHT_FUNCTION.sub(r"\\\1 ", _UPRIGHT_LETTER.sub(r" \1 ", text))
    text = _COMMA_IN_TEXT.sub(r"\1 ", _CIS_IN_TEXT.sub(r"\\cis ", text))
    text = _MODULUS.sub(r"\1 \\pmod{\2}", text) if "\\equiv" in text else text
    text = _NUMBERS_IN_TEXT.sub(r"\1", text)
    text = _TEXT_WITH_NUMBER.sub(r"\1\\text{\2}", text).replace("\\text{}", "")
    text = _DEGREES.sub(r"\\degree ", text)
    text = _TEMPERATURE.sub(r"\\degree \\text{\1}", text)
    text = _RENAMED.sub(_rename, text)
    text = text.replace("\\text{,}", "{,}")
    text = _DECIMAL_COMMA.sub(_decimal_comma, text).replace("{,}", ",")
    text = text.replace("{:}", ":")
    return text.replace("\\$", "$").replace("\\%", "%")


def _rename(match: re.Match[str]) -> str:
    name = _RENAMES[match[1]]
    return name if name in _SIGN_NAMES or name.endswith(" ") else "\\" + name


def _turned_brackets(match: re.Match[str]) -> str:
    """An interval with its brackets turned round at open ends, in round brackets there."""
    opening = "(" if match[2] == "]" else "["
    return f"{match[1]}{opening}{match[3]}{')' if match[4] == '[' else ']'}"


def _decimal_comma(match: re.Match[str]) -> str:
    """``3{,}14`` is a decimal, ``1{,}000`` a group of thousands."""
    grouped = len(match[2]) == 3 and len(match[1]) <= 3 and not match[1].startswith("0")
    return f"{match[1]}{',' if grouped else '.'}{match[2]}"
