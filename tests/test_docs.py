"""What users read names everything that they can set."""

import re

import pytest

from dca_bot.program.settings import PROJECT_ROOT

SETTINGS = (PROJECT_ROOT / "docs" / "settings.md").read_text()


SETTING_MODULES = ("settings", "channel_settings")


def setting_names() -> list[str]:
    """Every setting that the code reads, found where it is read."""
    program = PROJECT_ROOT / "src" / "dca_bot" / "program"
    source = "".join((program / f"{name}.py").read_text() for name in SETTING_MODULES)
    names = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source)) - {"PROJECT_ROOT"}
    assert len(names) > 20
    return sorted(names)


def test_the_example_holds_every_setting_once_with_a_comment() -> None:
    example = (PROJECT_ROOT / ".env.example").read_text()
    lines = re.findall(r"^(?:# )?([A-Z_]+)=(\S*)( +# \S.*)?$", example, re.MULTILINE)
    assert sorted(name for name, _, _ in lines) == setting_names()
    assert [name for name, _, comment in lines if not comment] == []


@pytest.mark.parametrize("name", setting_names())
def test_a_page_explains_every_setting(name: str) -> None:
    assert f"`{name}`" in SETTINGS


CITED = re.compile(r"docs/alpaca\.md (\d(?:\.\d)?)(?: ([RTD]\d+))?")
FACTS = (PROJECT_ROOT / "docs" / "alpaca.md").read_text()


def test_every_fact_about_alpaca_that_a_comment_cites_is_in_the_repository() -> None:
    known = set(re.findall(r"^##+ (\d(?:\.\d)?)", FACTS, re.MULTILINE))
    sources = [*PROJECT_ROOT.glob("*.py"), *(PROJECT_ROOT / "src").rglob("*.py")]
    missing = [
        f"{path}: {section} {item}"
        for path in (*sources, *(PROJECT_ROOT / "tests").rglob("*.py"))
        for section, item in CITED.findall(path.read_text())
        if section not in known or item and f"{item}:" not in FACTS and f"{item}," not in FACTS
    ]
    assert missing == []


def test_the_map_lists_every_module_by_its_path() -> None:
    text = (PROJECT_ROOT / "docs" / "map.md").read_text()
    listed = re.findall(r"^\| `(src/\S+\.py)` \| \S", text, re.MULTILINE)
    modules = [
        str(path.relative_to(PROJECT_ROOT))
        for package in ("dca_bot", "dca_demo", "dca_integration", "dca_sandbox")
        for path in (PROJECT_ROOT / "src" / package).rglob("*.py")
        if path.name != "__init__.py"
    ]
    assert sorted(listed) == sorted(modules)
