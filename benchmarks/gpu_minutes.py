"""One run on a GPU that is at hand only for minutes, without a network and over a small link.

usage: python benchmarks/gpu_minutes.py split FILE PARTS [--mib 48]
       python benchmarks/gpu_minutes.py receive PARTS STORE
       python benchmarks/gpu_minutes.py run STORE --data DATA --out OUT [--minutes 8] [--train 2000]
           [--recipe recipes/qwen2.5-0.5b-gsm8k.yaml] [--model FOLDER] [--device cuda] [--set KEY=VALUE]…

`split` cuts a model's GGUF file (or the archive of an unfinished run) into parts with a list of their
hashes. On the machine with the GPU, `receive` takes each load of parts into STORE and says what is
missing; nothing is doubled, a damaged part is refused. `run` is the one command then: it joins the parts,
dequantises the GGUF to bfloat16, and runs the recipe on GSM8K: `--train` prompts and the whole test
set, read from DATA/train.jsonl and DATA/test.jsonl. If time runs out it interrupts the run and leaves
its archive in OUT, as parts again: received there the next time, the run continues. A finished one
leaves OUT/table.md, summary.json, report.html and MODEL_CARD.md. The last line is one JSON object.
Needs deimos' packages and gguf; with --model FOLDER nothing is joined or dequantised.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIST = "parts.json"
RESULTS = ("summary.json", "report.html", "MODEL_CARD.md")
RUN, RUN_ARCHIVE = "run", "run.tar.gz"
NEEDED = ("torch", "transformers", "peft", "trl", "datasets", "math_verify", "pydantic", "yaml")
STOP_SECONDS = 60
"""What an interrupted run may take to write down what is done."""


def digest_of(path: Path) -> str:
    """Sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def split(file: Path, parts: Path, size: int) -> dict[str, Any]:
    """Cut a file into parts of at most ``size`` bytes; returns the list that is written beside them."""
    parts.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    with file.open("rb") as whole:
        while chunk := whole.read(size):
            path = parts / f"{file.name}.{len(found):03}"
            path.write_bytes(chunk)
            found.append({"name": path.name, "size": len(chunk), "sha256": digest_of(path)})
    made = {"name": file.name, "sha256": digest_of(file), "parts": found}
    (parts / f"{file.name}.{LIST}").write_text(json.dumps(made, indent=1), encoding="utf-8")
    return made


def receive(parts: Path, store: Path) -> dict[str, Any]:
    """Take what is there of lists and parts; returns for each file how many parts are missing."""
    store.mkdir(parents=True, exist_ok=True)
    for path in sorted(parts.glob(f"*.{LIST}")):
        shutil.copyfile(path, store / path.name)
    missing: dict[str, list[str]] = {}
    for listed in lists_in(store):
        for part in listed["parts"]:
            came, kept = parts / part["name"], store / part["name"]
            if came.is_file() and not kept.is_file():
                if digest_of(came) != part["sha256"]:
                    raise SystemExit(f"{came}: damaged on the way, send it again")
                beside = kept.with_name(f".{kept.name}.tmp")
                shutil.copyfile(came, beside)
                beside.rename(kept)
        gone = [p["name"] for p in listed["parts"] if not (store / p["name"]).is_file()]
        missing[listed["name"]] = [] if (store / listed["name"]).is_file() else gone
    if not missing:
        raise SystemExit(f"{parts}: no list of parts (*.{LIST}): send it with the first load")
    return {"missing": missing}


def lists_in(store: Path) -> list[dict[str, Any]]:
    """The lists of all files that are received."""
    return [json.loads(path.read_bytes()) for path in sorted(store.glob(f"*.{LIST}"))]


def join(store: Path, name: str) -> Path | None:
    """The whole file, put together if all its parts are there; None if it was never sent."""
    listed = next((one for one in lists_in(store) if one["name"] == name), None)
    whole = store / name
    if listed is None or whole.is_file():
        return whole if whole.is_file() else None
    gone = [p["name"] for p in listed["parts"] if not (store / p["name"]).is_file()]
    if gone:
        raise SystemExit(f"{name}: {len(gone)} of {len(listed['parts'])} parts are missing: {gone}")
    beside = whole.with_name(f".{name}.tmp")
    with beside.open("wb") as file:
        for part in listed["parts"]:
            file.write((store / part["name"]).read_bytes())
    if digest_of(beside) != listed["sha256"]:
        raise SystemExit(f"{name}: the joined file is not the one that was split")
    beside.rename(whole)
    for part in listed["parts"]:
        (store / part["name"]).unlink()
    return whole


def dequantise(gguf: Path, folder: Path) -> Path:
    """Write a GGUF's model and tokenizer as a folder of bfloat16 weights, once."""
    if (folder / "config.json").is_file():
        return folder
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    beside = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent), gguf_file=gguf.name, dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )  # fmt: skip
    model.save_pretrained(beside)
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(beside)
    beside.rename(folder)
    return folder


def find_model(args: argparse.Namespace) -> str:
    """The model's folder: given, made already, or made of the GGUF among the received files."""
    if args.model:
        return str(args.model)
    names = [one["name"] for one in lists_in(args.store) if one["name"].endswith(".gguf")]
    if len(names) != 1:
        raise SystemExit(f"{args.store}: one GGUF file must be received, not {names}")
    if find_spec("gguf") is None:
        raise SystemExit("the package gguf is not installed here: bring its wheel")
    gguf = join(args.store, names[0])
    assert gguf is not None, "its list is there"
    return str(dequantise(gguf, args.store / "model"))


def sets_for(args: argparse.Namespace, model: str) -> list[str]:
    """The recipe's changes: model, data, sizes and what suits a GPU."""
    changes = [f"model.id={model}", f"runtime.device={args.device}"]
    if args.data:
        changes += [
            f"prompts.sources.0.options.path={args.data / 'train.jsonl'}",
            f"bench.tasks.0.source.options.path={args.data / 'test.jsonl'}",
            f"prompts.sources.0.take={args.train}", "bench.tasks.0.source.take=null",
        ]  # fmt: skip
    if args.device == "cuda":
        changes += ["runtime.max_batch=512", "runtime.train_micro_batch=8"]
    return [word for change in [*changes, *args.set] for word in ("--set", change)]


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run or continue the recipe until it is done or time is up; leaves results or the run's archive."""
    began = time.monotonic()
    gone = [name for name in NEEDED if find_spec(name) is None]
    if gone:
        raise SystemExit(f"packages that are not installed here: {', '.join(gone)}: bring wheels")
    args.store.mkdir(parents=True, exist_ok=True)
    model, place = find_model(args), args.store / RUN
    if not place.is_dir() and (archive := join(args.store, RUN_ARCHIVE)):
        with tarfile.open(archive) as packed:
            packed.extractall(args.store, filter="data")
        archive.unlink()
    prepared = time.monotonic() - began
    start = "from deimos.cli.main import main; main()"
    command = [sys.executable, "-c", start, "run", str(args.recipe), "--out", str(place)]
    code = run_for([*command, *sets_for(args, model)], args.minutes * 60 - prepared - STOP_SECONDS)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in RESULTS:
        if code == 0 and (place / name).is_file():
            shutil.copyfile(place / name, args.out / name)
    if code == 0:
        title, told = f"{args.recipe.stem} on a GPU", f"deimos run {args.recipe.name}"
        subprocess.run(
            [sys.executable, str(ROOT / "benchmarks/run_table.py"), str(place), "--title", title,
             "--command", told, "--out", str(args.out / "table.md")], check=True,
            env=own_packages(),
        )  # fmt: skip
    elif place.is_dir():
        with tarfile.open(args.store / RUN_ARCHIVE, "w:gz") as packed:
            packed.add(place, RUN)
        split(args.store / RUN_ARCHIVE, args.out, args.mib << 20)
    return {
        "finished": code == 0, "exit_code": code, "prepared_seconds": round(prepared, 1),
        "seconds": round(time.monotonic() - began, 1), "out": sorted(path.name for path in args.out.iterdir()),
    }  # fmt: skip


def own_packages() -> dict[str, str]:
    """The environment of a process that imports deimos from this checkout."""
    paths = f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": paths}


def run_for(command: list[str], seconds: float) -> int | None:
    """A command's exit code; None: time was up, and it was interrupted."""
    print(" ".join(command), flush=True)
    process = subprocess.Popen(command, env=own_packages())
    try:
        return process.wait(max(1.0, seconds))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("split")
    one.add_argument("file", type=Path)
    one.add_argument("parts", type=Path)
    one.add_argument("--mib", type=int, default=48)
    one = verbs.add_parser("receive")
    one.add_argument("parts", type=Path)
    one.add_argument("store", type=Path)
    one = verbs.add_parser("run")
    one.add_argument("store", type=Path)
    one.add_argument("--data", type=Path)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--minutes", type=float, default=8)
    one.add_argument("--train", type=int, default=2000)
    one.add_argument("--recipe", type=Path, default=ROOT / "recipes/qwen2.5-0.5b-gsm8k.yaml")
    one.add_argument("--model", type=Path)
    one.add_argument("--device", default="cuda")
    one.add_argument("--mib", type=int, default=15)
    one.add_argument("--set", action="append", default=[])
    return parser.parse_args()


def main() -> None:
    """Do what the verb says; the last line is JSON."""
    args = arguments()
    if args.verb == "split":
        made = split(args.file, args.parts, args.mib << 20)
        print(json.dumps({"parts": len(made["parts"]), "sha256": made["sha256"]}))
    elif args.verb == "receive":
        print(json.dumps(receive(args.parts, args.store)))
    else:
        print(json.dumps(run(args)))


if __name__ == "__main__":
    main()
