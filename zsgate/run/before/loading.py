"""Loading a model as a run uses it: in a process of its own, unless the user wants it in this one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zsgate import models
from zsgate.baselines import DRAWS
from zsgate.baselines.classical import CLASSICAL, Classical
from zsgate.config.config import Config
from zsgate.config.tables import ABOUT_PRETRAINING, COMMAND_SETTINGS, LIMITS
from zsgate.models import device
from zsgate.models.adapter import Adapter
from zsgate.models.environments.environment import environments
from zsgate.models.pretrained.checkpoints import family_of
from zsgate.run.ledger import Ledger
from zsgate.system.cache import find_folder


def load_model(name: str, config: Config, folder: Path, ledger: Ledger, *, weights: Path | None = None) -> Adapter:
    """Return a model as ``--model`` names it, with what pyproject.toml says of it.

    Parameters
    ----------
    name
        Of the model.
    config
        What the user asked for.
    folder
        Where pytest was started.
    ledger
        Of the run.
    weights
        Folder of its weights, where the command line names one.

    Raises
    ------
    UsageProblem
        If it cannot be loaded.
    """
    where = device.chosen(config.gpu)
    if name in CLASSICAL and not (folder / name).exists():
        recipe = config.scoring
        drawn = {"seeds": config.seeds or DRAWS.get(name, 1), "schedule": recipe.scvi, "on": recipe.hvg_on}
        return Classical(name, {**drawn, "device": where})
    family, preset = family_of(name), config.scoring.preset
    prepared = {} if family is None else {"preset": preset if preset in family.presets else "official"}
    table = {**prepared, **config.models.get(name, {}), **({"weights": weights} if weights else {})}
    limits = {key: table.get(key, getattr(config, key)) for key in LIMITS}
    settings = {key: value for key, value in table.items() if key not in (*ABOUT_PRETRAINING, *LIMITS)}
    if "command" not in settings and (served := _served_apart(name, folder, config.cache, settings)) is not None:
        settings = {"command": served}
    is_command = "command" in settings
    if not is_command and (config.isolation == "none" or not models.is_code(name, folder)):
        return models.load(name, device=where, folder=folder, offline=config.offline, cache=config.cache, **settings)
    from zsgate.models.worker.launch import Place, launch, launch_command

    place = Place(
        device=where,
        folder=config.pyproject.parent if "command" in table and config.pyproject else folder,
        scratch=ledger.scratch.folder,
        kept=ledger.lasting,
        timeout=limits["timeout"],
        memory=limits["memory"],
        offline=config.offline,
        cache=config.cache,
    )
    if is_command:
        return launch_command(name, place, {key: settings[key] for key in COMMAND_SETTINGS if key in settings})
    return launch(name, place, **settings)


def _served_apart(name: str, folder: Path, cache: Path | None, settings: Mapping[str, Any]) -> str | None:
    """Return the command of a model that has an environment of its own; None if it has none, or is a file here.

    Raises
    ------
    UsageProblem
        If its environment is not there, or its weights are not.
    """
    if ":" in name or name in models.MODELS or (folder / name.partition("#")[0]).exists():
        return None
    found = environments(find_folder(cache)).get(name)
    return None if found is None else found.command(settings.get("weights"))
