"""What the source tree looks like, drawn from its imports, before and after; no model is run.

usage: python benchmarks/house.py [--before 78e7a91] [--json] [--out docs/results/house.md]

Measures the working tree and one earlier commit (``git archive`` into a temporary folder), each by
the layers of its own ``pyproject.toml``. Imports count wherever they stand: in functions and under
``TYPE_CHECKING`` too. ``--json`` measures the working tree alone and prints what was found, names
included: tests/test_architecture.py holds the tree to it. The last line is one JSON object
{"before": {…}, "after": {…}}.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import keyword
import statistics
import subprocess
import sys
import tarfile
import tempfile
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _pages import write_section

ROOT = Path(__file__).resolve().parents[1]
REPEATED = 10
"""A run of more equal lines than this, standing twice, counts as a near-copy."""
ROWS = (
    ("modules at the top level", "top"),
    ("packages (rooms) at the top level", "rooms"),
    ("modules in the largest room", "largest_room"),
    ("levels of the layers, each importing only those below", "levels"),
    ("imports that go up, or across one level", "upward"),
    ("circles among the packages", "package_circles"),
    ("circles among the modules", "module_circles"),
    ("modules", "modules"),
    ("lines of code, comments and blanks included", "lines"),
    ("lines of a file, median", "file_median"),
    ("lines of a file, longest", "file_max"),
    ("lines of a function, median", "function_median"),
    ("lines of a function, 90th percentile", "function_p90"),
    ("lines of a function, longest", "function_max"),
    ("class names (private ones and type aliases too) that stand more than once", "twice"),
    ("public modules, functions, classes and methods without a docstring", "undocumented"),
    (f"places of more than {REPEATED} lines that stand elsewhere too", "repeated"),
    ("… or would, with other names, strings and numbers; imports and tables left out", "alike"),
)


def sources(tree: Path) -> dict[str, str]:
    """Each file of the package by its path below it, with its text."""
    return {
        file.relative_to(tree).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(tree.rglob("*.py"))
    }


def import_graph(tree: Path) -> dict[str, set[str]]:
    """Which modules of the package each of its modules imports, names without the package's."""
    import grimp

    sys.path.insert(0, str(tree.parent))
    graph = grimp.build_graph(tree.name, cache_dir=None)
    short = {name: name.removeprefix(f"{tree.name}.") for name in graph.modules}
    return {
        short[name]: {short[other] for other in graph.find_modules_directly_imported_by(name)}
        for name in sorted(graph.modules)
    }


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The largest groups of which every member reaches every other by imports."""
    reached = {name: _reached_from(name, imports) for name in imports}
    found = {
        tuple(sorted(b for b in reached[a] if a in reached[b])) for a in imports if a in reached[a]
    }
    return [list(group) for group in sorted(found) if len(group) > 1]


def _reached_from(name: str, imports: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    queue = [name]
    while queue:
        new = imports.get(queue.pop(), set()) - reached
        reached |= new
        queue.extend(new)
    return reached


def package_of(module: str) -> str:
    """The top-level package or module that a module belongs to."""
    return module.partition(".")[0]


def package_graph(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Which top-level packages each of them imports; the public ``__init__`` is left out."""
    graph: dict[str, set[str]] = defaultdict(set)
    for module, others in imports.items():
        graph[package_of(module)] |= {package_of(o) for o in others} - {package_of(module)}
    return dict(graph)


def layers_of(pyproject: Path) -> list[dict[str, bool]]:
    """The levels of import-linter's contract, highest first: each member, and whether it is apart.

    Members separated by ``|`` must not import each other; those separated by ``:`` may.
    """
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]
    levels = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers")
    return [
        {name.strip(" ()"): "|" in level for name in level.replace("|", ":").split(":")}
        for level in levels
    ]


def upward_imports(
    imports: Mapping[str, set[str]], levels: Sequence[Mapping[str, bool]]
) -> list[str]:
    """Imports of a higher level, or of another package on a level that keeps them apart."""
    height = {name: (i, apart) for i, level in enumerate(levels) for name, apart in level.items()}
    found = []
    for module, others in imports.items():
        for other in sorted(others):
            here, there = package_of(module), package_of(other)
            if here == there or here not in height or there not in height:
                continue
            (i, apart), (j, _) = height[here], height[there]
            if j < i or (j == i and apart):
                found.append(f"{module} -> {other}")
    return found


def function_lengths(texts: Mapping[str, str]) -> list[tuple[int, str]]:
    """Lines and place of every function, shortest first."""
    return sorted(
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{file}:{node.lineno} {node.name}")
        for file, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def class_names(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Where each class and type alias stands; a leading underscore does not make another name."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, text in texts.items():
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{file}:{node.lineno}")
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id.lstrip("_")
                if name[:1].isupper() and not name.isupper():
                    places[name].append(f"{file}:{node.lineno}")
    return dict(places)


def undocumented(texts: Mapping[str, str]) -> list[str]:
    """Public modules, functions, classes and methods that have no docstring."""
    found = []
    for file, text in texts.items():
        tree = ast.parse(text)
        if not ast.get_docstring(tree):
            found.append(file)
        found += [f"{file}:{line} {name}" for name, line in _bare(tree.body)]
    return found


def _bare(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int]]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        overload = any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list)
        if node.name.startswith("_") or overload:
            continue
        if not ast.get_docstring(node):
            yield node.name, node.lineno
        if isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{name}", line) for name, line in _bare(node.body))


def repeated_runs(texts: Mapping[str, str], *, shape: bool, least: int = REPEATED + 1) -> list[str]:
    """Places of runs of at least so many equal lines; blank lines and indentation do not count.

    Args:
        texts: files of a tree.
        shape: lines are equal if they differ in names, strings and numbers alone; comments,
            docstrings, imports and tables (values given to a module's names) do not count.
        least: lines of a run.
    """
    lines = {file: _shapes(text) if shape else _bare_lines(text) for file, text in texts.items()}
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for file, rows in lines.items():
        for i in range(len(rows) - least + 1):
            places[tuple(line for _, line in rows[i : i + least])].append((file, i))
    twice = {place for found in places.values() if len(found) > 1 for place in found}
    starts = sorted(place for place in twice if (place[0], place[1] - 1) not in twice)
    return [f"{file}:{lines[file][i][0]}" for file, i in starts]


def _bare_lines(text: str) -> list[tuple[int, str]]:
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def _shapes(text: str) -> list[tuple[int, str]]:
    """Lines of code with every name, string and number replaced by its type."""
    left_out = _imports_and_tables(ast.parse(text))
    rows: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            rows[token.start[0]].append("name")
        elif token.type in (tokenize.NUMBER, tokenize.STRING):
            rows[token.start[0]].append(tokenize.tok_name[token.type])
        elif token.type in (tokenize.NAME, tokenize.OP):
            rows[token.start[0]].append(token.string)
    shapes = {n: " ".join(row) for n, row in sorted(rows.items()) if n not in left_out}
    return [(n, shape) for n, shape in shapes.items() if shape != "STRING"]


def _imports_and_tables(tree: ast.Module) -> set[int]:
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    nodes += [n for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign)]
    return {line for n in nodes for line in range(n.lineno, (n.end_lineno or n.lineno) + 1)}


def rooms_of(texts: Mapping[str, str]) -> dict[str, int]:
    """How many modules stand in each folder, ``__init__`` aside; the package itself is ``.``."""
    rooms: dict[str, int] = defaultdict(int)
    for file in texts:
        folder, _, name = file.rpartition("/")
        rooms[folder or "."] += name != "__init__.py"
    return dict(rooms)


def measure(tree: Path) -> dict[str, Any]:
    """Everything the table needs of one tree; lists where names say more than their number.

    Args:
        tree: the package's folder, with the ``pyproject.toml`` of its layers two levels above.
    """
    texts, imports = sources(tree), import_graph(tree)
    rooms, levels = rooms_of(texts), layers_of(tree.parents[1] / "pyproject.toml")
    inner = {room: n for room, n in rooms.items() if room != "."}
    files = sorted((text.count("\n"), file) for file, text in texts.items())
    functions = function_lengths(texts)
    return {
        "top": rooms["."],
        "rooms": sorted(room for room in inner if "/" not in room),
        "largest_room": max(inner.values()),
        "levels": len(levels),
        "upward": upward_imports(imports, levels),
        "package_circles": circles(package_graph(imports)),
        "module_circles": circles(imports),
        "modules": len(files),
        "lines": sum(n for n, _ in files),
        "file_median": statistics.median(n for n, _ in files),
        "file_max": files[-1],
        "function_median": statistics.median(n for n, _ in functions),
        "function_p90": functions[int(0.9 * len(functions))][0],
        "function_max": functions[-1],
        "twice": {name: found for name, found in class_names(texts).items() if len(found) > 1},
        "undocumented": undocumented(texts),
        "repeated": repeated_runs(texts, shape=False),
        "alike": repeated_runs(texts, shape=True),
    }


def measure_commit(commit: str) -> dict[str, Any]:
    """The same of an earlier commit, in a process of its own: both packages have one name."""
    packed = subprocess.run(
        ["git", "archive", commit, "src", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        command = [sys.executable, __file__, "--json", "--tree", f"{folder}/src/deimos"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def tree_page(tree: Path) -> str:
    """``docs/tree.md``: each file in a sentence, its docstring's first, with its public names."""
    lines = [
        "# Every file in a sentence",
        "",
        "Written by `python benchmarks/house.py --page` from the files' own docstrings; after each sentence "
        "stand the public functions and classes. Packages: [README](../README.md#the-tree).",
    ]
    for file, text in sorted(sources(tree).items(), key=lambda item: item[0].rpartition("/")):
        folder, _, name = file.rpartition("/")
        module = ast.parse(text)
        sentence = " ".join((ast.get_docstring(module) or "").split("\n\n")[0].split())
        sentence = sentence.replace("``", "`")
        if name == "__init__.py":
            title = f"{folder}/" if folder else "deimos/"
            lines += ["", f"## {title}", "", sentence, ""]
            continue
        public = dict.fromkeys(
            n.name
            for n in module.body
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and n.name[0] != "_"
        )
        names = f" ({', '.join(f'`{n}`' for n in public)})" if public else ""
        lines.append(f"- **{name}**: {sentence}{names}")
    return "\n".join(lines) + "\n"


def as_number(value: Any) -> float | str:
    """A list as its length, a longest file or function as its lines."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], int):
        return value[0]
    return len(value) if isinstance(value, list | dict) else value


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", default="78e7a91", metavar="COMMIT")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", action="store_true", help="write docs/tree.md alone")
    parser.add_argument("--tree", type=Path, default=ROOT / "src/deimos")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/house.md")
    args = parser.parse_args()
    if args.page:
        (ROOT / "docs/tree.md").write_text(tree_page(args.tree.resolve()), encoding="utf-8")
        return
    after = json.loads(json.dumps(measure(args.tree.resolve())))
    if args.json:
        print(json.dumps(after, indent=1))
        return
    before = measure_commit(args.before)
    table = [
        f"`python benchmarks/house.py --before {args.before}`; before is that commit, after the "
        "tree in which this page stands.",
        "",
        "| | before | after |",
        "|---|---|---|",
        *(
            f"| {label} | {as_number(before[key]):,} | {as_number(after[key]):,} |"
            for label, key in ROWS
        ),
    ]
    write_section("house", "\n".join(table), page=args.out)
    numbers = {
        name: {key: as_number(found[key]) for _, key in ROWS}
        for name, found in (("before", before), ("after", after))
    }
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
