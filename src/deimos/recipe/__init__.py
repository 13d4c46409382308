"""The recipe: one YAML file that says everything that changes a result.

``model.py`` has the records, ``load.py`` reads them, ``sets.py`` applies ``--set``, ``errors.py``
phrases faults; ``runtime.py`` has what changes where and how fast, never what comes out.
"""

from deimos.recipe.errors import RecipeError
from deimos.recipe.load import load, parse, schema, validate
from deimos.recipe.model import (
    AdaptiveN,
    Bench,
    Decontaminate,
    Lora,
    ModelSettings,
    PromptSettings,
    Quota,
    Recipe,
    Sample,
    SamplingSettings,
    Section,
    Select,
    SourceSettings,
    StopWhen,
    TagSettings,
    TaskSettings,
    Train,
)
from deimos.recipe.sets import apply_set

__all__ = [
    "AdaptiveN",
    "Bench",
    "Decontaminate",
    "Lora",
    "ModelSettings",
    "PromptSettings",
    "Quota",
    "Recipe",
    "RecipeError",
    "Sample",
    "SamplingSettings",
    "Section",
    "Select",
    "SourceSettings",
    "StopWhen",
    "TagSettings",
    "TaskSettings",
    "Train",
    "apply_set",
    "load",
    "parse",
    "schema",
    "validate",
]
