"""Scenarios by name: TOML files beside this one, each a list of calls of the control API."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ScenarioStep:
    """After so many seconds, a POST of a body to a path of the control API."""

    after: float
    call: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named run of mishaps."""

    name: str
    about: str
    steps: list[ScenarioStep]


def scenario_names() -> list[str]:
    """The names of all scenarios, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_scenario(name: str) -> Scenario:
    """Given one of the names, reads its file."""
    found = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    steps = [
        ScenarioStep(float(step["after"]), str(step["call"]), dict(step["body"]))
        for step in found["steps"]
    ]
    return Scenario(name, str(found["about"]), steps)
