r"""Names of units: spellings, SI prefixes, units made of others, and spellings that may mean several.

Symbols (``mW``, ``MW``) are told apart by case; where only one unit could be meant, another case will do
(``KHz``). Not covered: whether two units measure the same (a joule is no newton metre here).
"""

from __future__ import annotations

import re

_SPELLINGS = (
    "meter m meters metre metres", "centimeter cm centimeters centimetre centimetres cms",
    "millimeter mm millimeters millimetre millimetres", "kilometer km kilometers kilometre kilometres kms",
    "inch in inches", "foot ft feet", "yard yd yards yds", "mile mi miles", "second s sec secs seconds",
    "minute min mins minutes", "hour h hr hrs hours", "day d days", "week weeks wk wks", "month months mo",
    "year y yr yrs years", "gram g grams", "kilogram kg kilograms kgs", "milligram mg milligrams",
    "poundmass lb lbs", "pound pounds", "ounce oz ounces", "ton tons tonne tonnes", "liter l L liters litre litres",
    "milliliter ml mL milliliters millilitre millilitres", "gallon gal gallons", "cent cents", "dollar dollars USD usd bucks",
    "euro euros EUR", "degree degrees deg", "radian rad rads radians", "newton N newtons", "joule J joules",
    "watt W watts", "volt V volts", "ampere A amp amps amperes", "ohm ohms Omega", "hertz Hz", "kelvin K kelvins",
    "C", "F", "celsius centigrade", "fahrenheit", "pascal Pa pascals", "coulomb coulombs", "mole mol moles",
    "tesla T teslas", "electronvolt eV electronvolts", "acre acres", "hectare ha hectares", "unit units",
    "farad farads", "henry H henrys henries", "siemens", "weber Wb webers", "lumen lm lumens", "lux lx", "candela cd",
    "becquerel Bq", "gray Gy", "sievert Sv", "decibel dB decibels", "dBm", "bit bits", "byte bytes", "calorie cal calories",
    "btu BTU Btu", "erg ergs", "horsepower hp", "bar bars", "atmosphere atm atmospheres", "psi", "torr Torr", "mmHg",
    "knot knots kn kt kts", "arcminute arcmin arcminutes", "arcsecond arcsec arcseconds", "steradian sr steradians",
    "revolution rev revs revolutions", "turn turns", "gradian gon gradians", "angstrom angstroms", "lightyear ly lightyears",
    "nauticalmile nmi", "parsec parsecs", "au AU", "furlong furlongs", "fathom fathoms", "pint pints", "quart qt quarts",
    "fluidounce", "tablespoon tbsp tablespoons", "teaspoon tsp teaspoons", "carat carats", "decade decades",
    "century centuries", "fortnight fortnights", "poundsterling GBP quid", "penny pence", "yen JPY", "rupee rupees Rs INR",
    "yuan CNY RMB renminbi", "peso pesos", "franc francs CHF", "ruble rubles rouble roubles RUB", "molar",
)  # fmt: skip
_PREFIXES = {
    "k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "u": "micro", "micro": "micro", "n": "nano",
    "p": "pico", "f": "femto", "c": "centi", "d": "deci", "h": "hecto", "P": "peta", "E": "exa", "K": "kilo",
}  # fmt: skip
_PREFIXED = {
    "meter": ("m", "kMmunpfcdh"), "gram": ("g", "kMmunpcd"), "second": ("s", "munpf"), "liter": ("L l", "Mmuncdh"),
    "ampere": ("A", "kmunp"), "volt": ("V", "kMmun"), "watt": ("W", "kMGTmun"), "joule": ("J", "kMGTPEmun"),
    "newton": ("N", "kMmu"), "pascal": ("Pa", "kMGhm"), "hertz": ("Hz", "kMGTm"), "ohm": ("ohm ohms Omega", "kMGm"),
    "farad": ("F", "munp"), "henry": ("H", "mun"), "coulomb": ("C", "munp"), "tesla": ("T", "mun"), "weber": ("Wb", "mu"),
    "siemens": ("S", "mu"), "kelvin": ("K", "mun"), "mole": ("mol", "kmun"), "molar": ("M", "mun"),
    "electronvolt": ("eV", "kMGTm"), "calorie": ("cal", "k"), "becquerel": ("Bq", "kMGT"), "gray": ("Gy", "mu"),
    "sievert": ("Sv", "mu"), "bar": ("bar", "km"), "parsec": ("pc", "kMG"), "radian": ("rad", "mu"), "ton": ("t", "kMG"),
    "bit": ("b bit bits", "kKMGTP"), "byte": ("B", "kKMGTPE"), "watthour": ("Wh", "kMGTm"),
    "amperehour": ("Ah", "km"), "voltampere": ("VA", "kM"),
}  # fmt: skip
"""Unit to its symbols, and to the prefixes that are put before them."""
_PARTS = {
    "watthour": {"watt": 1, "hour": 1}, "amperehour": {"ampere": 1, "hour": 1},
    "voltampere": {"volt": 1, "ampere": 1},
}  # fmt: skip
MEANINGS = {
    "C": ("celsius", "coulomb"), "F": ("fahrenheit", "farad"), "pound": ("poundmass", "poundsterling"),
    "ounce": ("ounce", "fluidounce"),
}  # fmt: skip
"""Spellings that may stand for either of several units."""

NAMES: dict[str, str] = {}
"""Spelling of a single unit to its name."""
for _line in _SPELLINGS:
    for _spelling in _line.split():
        NAMES.setdefault(_spelling, _line.split()[0])
COMPOUNDS: dict[str, dict[str, int]] = {
    "mph": {"mile": 1, "hour": -1}, "kmh": {"kilometer": 1, "hour": -1}, "kph": {"kilometer": 1, "hour": -1},
    "kmph": {"kilometer": 1, "hour": -1}, "cc": {"centimeter": 3}, "mps": {"meter": 1, "second": -1},
    "fps": {"foot": 1, "second": -1}, "mpg": {"mile": 1, "gallon": -1}, "ms": {"millisecond": 1},
    "rpm": {"revolution": 1, "minute": -1},
}  # fmt: skip
"""Small letters to powers of units."""
SYMBOLS: dict[str, dict[str, int]] = {
    "Nm": {"newton": 1, "meter": 1}, "Wh": {"watt": 1, "hour": 1}, "Ah": {"ampere": 1, "hour": 1},
    "VA": {"volt": 1, "ampere": 1}, "bps": {"bit": 1, "second": -1}, "Bps": {"byte": 1, "second": -1},
}  # fmt: skip
"""Symbol, in its case, to powers of units; such letters may be a product, too."""


def _powers(prefix: str, unit: str) -> dict[str, int]:
    """What a prefixed unit is made of: the prefix belongs to its first part."""
    parts = _PARTS.get(unit, {unit: 1})
    return {(prefix + p if n == 0 else p): power for n, (p, power) in enumerate(parts.items())}


def _add_prefixed() -> None:
    for unit, (symbols, prefixes) in _PREFIXED.items():
        for short in [*prefixes, "micro"] if "u" in prefixes else prefixes:
            for symbol in symbols.split():
                if short + symbol not in NAMES:
                    SYMBOLS.setdefault(short + symbol, _powers(_PREFIXES[short], unit))
    for prefix in sorted({*_PREFIXES.values()}):
        for spelling, unit in list(NAMES.items()):
            if unit in _PREFIXED and len(spelling) > 2 and spelling not in ("Omega", "mol"):
                NAMES.setdefault(prefix + spelling, prefix + unit)
        for metre, unit in (("metre", "meter"), ("litre", "liter")):
            NAMES.setdefault(f"{prefix}{metre}", prefix + unit)
            NAMES.setdefault(f"{prefix}{metre}s", prefix + unit)
    for symbol in [s for s in SYMBOLS if s.endswith(("b", "B", "bit"))]:
        unit = next(iter(SYMBOLS[symbol]))
        if unit.endswith(("bit", "byte")):
            SYMBOLS[f"{symbol}ps"] = {unit: 1, "second": -1}
    for short in ("Ki", "Mi", "Gi", "Ti"):
        SYMBOLS[f"{short}B"], SYMBOLS[f"{short}b"] = {f"{short}byte": 1}, {f"{short}bit": 1}
    NAMES.update({"micron": "micrometer", "microns": "micrometer"})
    NAMES.update(
        {
            f"{p}ohm{s}": f"{p}aohm" if p == "meg" else f"{p}oohm"
            for p in ("kil", "meg")
            for s in ("", "s")
        }
    )
    for length in ["mm", "cm", "m", "km", "in", "ft", "yd", "mi"]:
        COMPOUNDS[f"sq{length}"], COMPOUNDS[f"cu{length}"] = {NAMES[length]: 2}, {NAMES[length]: 3}


_add_prefixed()
_IN_ANY_CASE: dict[str, list[dict[str, int]]] = {}
for _symbol, _made in [*SYMBOLS.items(), *((s, {n: 1}) for s, n in NAMES.items())]:
    _known = _IN_ANY_CASE.setdefault(_symbol.lower(), [])
    if _made not in _known:
        _known.append(_made)

_PHRASES = tuple(
    (re.compile(rf"\b(?:{pattern})" + ("" if "?=" in pattern else r"\b"), re.IGNORECASE), name)
    for pattern, name in (
        (r"light[- ]years?", "lightyear"), (r"nautical[- ]miles?", "nauticalmile"), (r"arc[- ]minutes?", "arcminute"),
        (r"arc[- ]seconds?", "arcsecond"), (r"(?:fluid|fl\.?)[- ](?:ounces?|oz)", "fluidounce"),
        (r"metric[- ]tons?", "tonne"), (r"(?:US|U\.S\.|american)[- ]dollars?", "dollar"), (r"electron[- ]volts?", "electronvolt"),
        (r"pounds?[- ]sterling", "poundsterling"), (r"deg(?:rees?)?[- ](?:celsius|centigrade|c)", "celsius"),
        (r"deg(?:rees?)?[- ](?:fahrenheit|f)", "fahrenheit"), (r"deg(?:rees?)?[- ](?:kelvins?|k)", "kelvin"),
        (r"(kilo|mega|giga|tera|milli|micro|nano|pico|centi|deci)[- ](?=[a-z])", r"\1"), (r"astronomical units?", "au"), (r"mm[- ]Hg", "mmHg"),
    )
)  # fmt: skip


_SIGNS = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"Å", "angstrom"), (r"[µμ]", r"\\mu "), (r"\\text\{([^{}\\]*)\\degree\s*\\text\{([CFK])\}\s*\}", r"\\text{\1 degree \2}"),
        (r"\\text\{\s*\\mu\s*([A-Za-z]+)", r"\\text{micro\1"),
        (r"(?:\\text\{\s*\}\s*)?\\mu\s*\\text\{\s*([A-Za-z])", r"\\text{micro\1"),
        (r"^([-+]?[\d.,]+)\s+\\mu\s*([A-Za-z]{1,3})$", r"\1\\text{ micro\2}"),
        (r"\\text\{\s*([kMGm]|micro)?\s*\\Omega\s*", r"\\text{ \1ohm "),
        (r"\\text\{\s*([kMGm]|micro)?\s*\}\s*\\Omega(?![A-Za-z])", r"\\text{ \1ohm}"),
        (r"^([-+]?[\d.,]+)\s+([kMGm]?)\s*\\Omega$", r"\1\\text{ \2ohm}"),
    )
)  # fmt: skip


def spell_signs(text: str) -> str:
    r"""Signs of units as letters in upright text: ``\mu\text{m}``, ``\text{k\Omega}``, a degree sign within a text."""
    if not any(sign in text for sign in ("\\mu", "\\Omega", "\\degree", "Å", "µ", "μ")):
        return text
    for pattern, name in _SIGNS:
        text = pattern.sub(name, text)
    return text


def with_phrases(words: str) -> str:
    """The words, with units of several words ("nautical miles") as one."""
    for pattern, name in _PHRASES:
        words = pattern.sub(name, words)
    return words


def powers_of(word: str) -> dict[str, int] | None:
    """What units a word stands for, with their exponents; None: it is in no table."""
    low = word.lower()
    if word in NAMES:
        return {NAMES[word]: 1}
    if word in SYMBOLS:
        return SYMBOLS[word]
    if low in COMPOUNDS:
        return COMPOUNDS[low]
    if low in NAMES:
        return {NAMES[low]: 1}
    candidates = _IN_ANY_CASE.get(low, [])
    return candidates[0] if len(candidates) == 1 else None


def spell_out(word: str) -> str:
    """The name of a unit that stands as a symbol (V, kWh), so that it can be told from a noun; else the word."""
    if word == "in" or (len(word) > 2 and word not in SYMBOLS):
        return word
    made = NAMES.get(word) or "".join(SYMBOLS.get(word, {})) or word
    return MEANINGS.get(made, (made,))[0]


def meanings(powers: tuple[tuple[str, int], ...]) -> set[tuple[tuple[str, int], ...]]:
    """All that a unit may mean, where a spelling of it stands for either of several."""
    found: set[tuple[tuple[str, int], ...]] = {()}
    for name, power in powers:
        found = {(*one, (each, power)) for one in found for each in MEANINGS.get(name, (name,))}
    return {tuple(sorted(one)) for one in found}


def may_abbreviate(short: str, names: tuple[str, ...]) -> bool:
    """Whether letters in no table may be a way to write one of the units: "kmtr" for kilometer."""
    letters = re.sub(r"[^a-z]", "", short.lower())
    return any(name[:1].lower() == letters[:1] and _in_order(letters, name) for name in names)


def _in_order(letters: str, name: str) -> bool:
    rest = iter([*name.lower(), "s"])
    return all(letter in rest for letter in letters)
