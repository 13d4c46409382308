"""The names of a run's files and folders: here and nowhere else.

Who reads a run asks ``runs.artifacts``; these names are for the stages that write the files.
"""

RECIPE = "recipe.yaml"
PLAN = "plan.json"
LOCK = ".lock"
SUMMARY = "summary.json"
REPORT = "report.html"
CARD = "MODEL_CARD.md"
EVAL_RESULTS = ".eval_results"
"""At the top of a run folder, as are the folders of the stages; the last one is a folder of scores as
the Hub reads them, a file for each task."""

RECORD = "record.json"
"""What a complete stage consists of; written last."""
ATTEMPTS = "attempts.jsonl"
"""When each attempt at a stage began and how long it took."""
KEYS = "keys.jsonl"
"""Which record keys count now; on a cluster one file a shard in ``KEYS_FOLDER``."""
KEYS_FOLDER = "keys"

TRAIN = "train.jsonl"
DEV = "dev.jsonl"
"""Prompts to decide by; in a sample folder what the base answered to them."""
DECONTAMINATED = "decontaminated.jsonl"

COMPLETIONS = "completions"
FILTERS = "filters.json"
CONSTANTS = "constants.json"
TEMPLATE_DATE = "template_date.json"
PARTIAL = "partial.jsonl"
"""Ids of unfinished candidates; on a cluster one file an attempt in ``PARTIAL_FOLDER``."""
PARTIAL_FOLDER = "partial"

VERDICTS = "verdicts.jsonl"
GOLD = "gold.jsonl"

ADAPTER = "adapter"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
"""Of an unfinished training."""
DROPPED = "dropped.jsonl"
TRAINED_ON = "trained_on.json"
"""A digest of the examples that the adapter, or an unfinished training, is of."""

TRIALS = "trials.jsonl"
LOCKED = "locked.yaml"
ROUTING = "routing.jsonl"

PROBLEMS = "prompts.jsonl"
"""The test problems that a benchmark asked."""
SAMPLES = "samples"
TIMING = "timing.jsonl"
BENCH = "bench.jsonl"
COMPARE = "compare.jsonl"
BY_CONFIG = "by_config.jsonl"
BUDGET_CURVE = "budget_curve.jsonl"
SPLITS = "splits.jsonl"
"""Tuned against base by the base's own difficulty and by level."""
