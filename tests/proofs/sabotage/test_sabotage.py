"""The list of sabotages fits the code: a list that rots would prove nothing."""

import pytest

from dca_bot.program.settings import PROJECT_ROOT
from tests.proofs.sabotage.entries import Sabotage, all_sabotages, chosen

each_sabotage = pytest.mark.parametrize("sabotage", all_sabotages(), ids=lambda each: each.name)


@each_sabotage
def test_a_sabotage_changes_one_line_and_leaves_the_code_readable(sabotage: Sabotage) -> None:
    healthy = (PROJECT_ROOT / sabotage.file).read_text()
    broken = sabotage.applied_to(healthy)
    before, after = healthy.split("\n"), broken.split("\n")
    changed = [number for number, line in enumerate(before, start=1) if line != after[number - 1]]
    assert len(after) == len(before)
    assert len(changed) == 1
    if sabotage.file.endswith(".py"):
        compile(broken, sabotage.file, "exec")


def test_names_and_changes_are_unique() -> None:
    sabotages = all_sabotages()
    assert len({each.name for each in sabotages}) == len(sabotages)
    assert len({(each.file, each.line, each.sabotaged) for each in sabotages}) == len(sabotages)


def test_the_list_is_long_enough_to_prove_something() -> None:
    assert len(all_sabotages()) >= 40


def test_the_tests_that_should_catch_them_exist() -> None:
    for test in {test for each in all_sabotages() for test in each.caught_by}:
        path, _, name = test.partition("::")
        assert (PROJECT_ROOT / path).exists(), test
        assert not name or f"def {name}(" in (PROJECT_ROOT / path).read_text(), test


def test_sabotages_are_chosen_by_name_or_number() -> None:
    sabotages = all_sabotages()
    second, third = sabotages[1:3]
    assert chosen(sabotages, [third.name, "2"]) == [(2, second), (3, third)]
    assert [each for _, each in chosen(sabotages, [])] == sabotages
    with pytest.raises(LookupError):
        chosen(sabotages, ["2", "no-such-sabotage"])
