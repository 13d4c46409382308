"""The recipe: one YAML file that says everything that changes a result.

``model.py`` has the records (``prompts.py``, ``sampling.py`` and ``bench.py`` the larger sections),
``load.py`` reads them, ``sets.py`` applies ``--set``, ``errors.py`` phrases faults; ``runtime.py`` has
what changes where and how fast, never what comes out.
"""

from deimos.recipe.bench import Bench, TaskSettings
from deimos.recipe.errors import RecipeError
from deimos.recipe.gain import Gain
from deimos.recipe.load import load, parse, schema, validate
from deimos.recipe.model import (
    Lora,
    ModelSettings,
    Quota,
    Recipe,
    Select,
    TagSettings,
    Train,
    quantile_of,
)
from deimos.recipe.prompts import Decontaminate, PromptSettings, SourceSettings
from deimos.recipe.proposers import (
    FewShotProposer,
    InstructionProposer,
    PlainProposer,
    Proposer,
    PruneProposer,
    RewriteProposer,
    TeacherSettings,
)
from deimos.recipe.route import Route
from deimos.recipe.sampling import AdaptiveN, Sample, SamplingSettings, StopWhen
from deimos.recipe.section import Section
from deimos.recipe.sets import apply_set
from deimos.recipe.sweep import PricePerToken, Sweep, SweepParameters
from deimos.recipe.teach import Teach
from deimos.recipe.yaml_text import read_yaml, write_yaml

__all__ = [
    "AdaptiveN",
    "Bench",
    "Decontaminate",
    "FewShotProposer",
    "Gain",
    "InstructionProposer",
    "Lora",
    "ModelSettings",
    "PlainProposer",
    "PricePerToken",
    "PromptSettings",
    "Proposer",
    "PruneProposer",
    "Quota",
    "Recipe",
    "RecipeError",
    "RewriteProposer",
    "Route",
    "Sample",
    "SamplingSettings",
    "Section",
    "Select",
    "SourceSettings",
    "StopWhen",
    "Sweep",
    "SweepParameters",
    "TagSettings",
    "TaskSettings",
    "Teach",
    "TeacherSettings",
    "Train",
    "apply_set",
    "load",
    "parse",
    "quantile_of",
    "read_yaml",
    "schema",
    "validate",
    "write_yaml",
]
