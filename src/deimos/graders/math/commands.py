"""Names of TeX commands by what they stand for."""

from __future__ import annotations

from deimos.graders.math.tokens import word_set

GREEK = word_set(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon phi chi psi omega"
    " Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar varpi varrho varsigma aleph top perp star"
)  # fmt: skip


ACCENTS = word_set(
    "bar overline vec overrightarrow hat widehat tilde widetilde dot ddot mathbb mathcal mathscr mathfrak"
    " overleftrightarrow overleftarrow overarc wideparen acute operatorname"
)  # fmt: skip


RELATIONS = {"=": "=", "<": "<", ">": ">", "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\approx": "~", "\\equiv": "==",
              "\\sim": "~~", "\\in": "in", "\\cong": "~=", "\\propto": "prop", "\\notin": "notin", "\\subset": "sub",
              "\\subseteq": "sube", "\\perp": "perp", "\\parallel": "par", "\\Rightarrow": "=>", "\\to": "->",
              "\\rightarrow": "->", "\\implies": "=>", "\\iff": "<=>", "\\Leftrightarrow": "<=>", "\\mapsto": "->",
              "<=": "<=", ">=": ">=", "!=": "!=", "==": "=="}  # fmt: skip


MATRICES = word_set("matrix pmatrix bmatrix Bmatrix smallmatrix vmatrix array")


INFIX = frozenset(
    [*RELATIONS, "\\cup", "\\cap", "\\setminus", "\\pm", "\\mp", "\\cdot", "\\times", "\\bmod", "\\mod", "\\pmod",
     "\\}", "\\\\", "\\mid", "\\degree", "\\%", "\\prime", "\\|", "\\middle", "\\over", "\\choose", "\\rfloor", "\\rceil",
     "\\vee", "\\wedge"]
)  # fmt: skip
