"""Optuna's sampler and pruner as the other strategy: whole configs instead of one parameter at a time.

TPE proposes a config (Bergstra et al. 2011); its items come in blocks, and the Wilcoxon pruner drops
it if a signed-rank test says that it is worse than the best trial so far. Looked at after each block,
that test has no bound for the error of all looks together, unlike ``evidence``.
"""

from __future__ import annotations

import warnings
from typing import Any

from deimos.evaluate.outcomes import Outcome
from deimos.store.sweep_rows import DecodingConfig
from deimos.sweep.answers import Answers
from deimos.sweep.descent import Rules
from deimos.sweep.space import Space, change, explain_inert, reduce_to_effective, require_optuna
from deimos.sweep.trials import Trial, Trials


async def explore(
    space: Space, answers: Answers, rules: Rules, *, trials: int, seed: int
) -> Trials:
    """Try what TPE proposes, the start first; returns what was tried.

    Args:
        space: parameters and values.
        answers: of the model.
        rules: items, blocks, objective; ``alpha`` is the pruner's threshold.
        trials: configs that are proposed, one that was tried before included.
        seed: of the sampler.

    Raises:
        RecipeError: Optuna is not installed.
        EvaluationError: the engine failed on some completions again and again.
    """
    require_optuna()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=rules.alpha)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.enqueue_trial({name: values[0] for name, values in space.values.items()})
    tried, known = Trials(), set()
    for _ in range(trials):
        proposal = study.ask()
        config = reduce_to_effective(propose(space, proposal))
        trial = await _try(config, proposal, study, answers, rules)
        if config not in known:
            known.add(config)
            trial.decoded = answers.decoded(config)
            tried.rows.append(trial)
    return tried


def propose(space: Space, proposal: Any) -> DecodingConfig:
    """The config that a trial of Optuna's asks for; parameters without effect are not asked for."""
    config = space.start
    for name, values in space.values.items():
        if not explain_inert(config, name):
            config = change(config, name, proposal.suggest_categorical(name, list(values)))
    return config


async def _try(
    config: DecodingConfig, proposal: Any, study: Any, answers: Answers, rules: Rules
) -> Trial:
    import optuna

    outcomes: list[Outcome] = []
    for start in range(0, rules.items, rules.block):
        end = min(start + rules.block, rules.items)
        outcomes = [*await answers.of(config, end)]
        for step in range(start, end):
            worth = rules.score.of(outcomes[step])
            proposal.report(0.0 if worth is None else worth, step)
        if end < rules.items and proposal.should_prune():
            # As Optuna's guide to the pruner has it: a pruned trial gives the mean of what there is.
            study.tell(proposal, rules.score.mean(outcomes))
            because = f"the Wilcoxon pruner's test is under {rules.alpha}"
            return Trial(0, "", None, config, outcomes, None, end, because)
    study.tell(proposal, rules.score.mean(outcomes), state=optuna.trial.TrialState.COMPLETE)
    return Trial(0, "", None, config, outcomes)
