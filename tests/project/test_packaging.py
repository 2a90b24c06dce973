"""What `pip install` needs to know: the declared dependencies, the pins, the files beside code."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.store.schema import SCHEMA_FILE

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
PINNED = {
    canonicalize_name(name): version
    for file in ("requirements.txt", "requirements-dev.txt")
    for name, version in re.findall(
        r"^([\w-]+)(?:\[\w+\])?==(\S+)", (PROJECT_ROOT / file).read_text(), re.MULTILINE
    )
}
DECLARED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]


@pytest.mark.parametrize("declared", DECLARED, ids=str)
def test_every_declared_dependency_allows_the_version_that_is_pinned(declared: Requirement) -> None:
    assert PINNED[canonicalize_name(declared.name)] in declared.specifier


def test_the_installed_schema_is_the_one_that_users_pipe_in() -> None:
    assert SCHEMA_FILE.resolve() == PROJECT_ROOT / "sql" / "schema.sql"


def test_every_file_beside_the_code_is_installed_with_it() -> None:
    """Given the endings that pyproject.toml lists, no other file hides in src/."""
    listed = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    patterns = listed["tool"]["setuptools"]["package-data"]["*"]
    left_out = [
        path
        for path in (PROJECT_ROOT / "src").rglob("*")
        if path.is_file() and not {"__pycache__"} & set(path.parts) and path.suffix != ".py"
        if not any(Path(path.name).match(pattern) for pattern in patterns)
        if ".egg-info" not in str(path)
    ]
    assert left_out == []
