"""What a verb says before it acts, and how it ends when nobody agrees."""

from tests.commands.act.small_exchange import BTC, Desk


def test_what_a_close_says_first_is_true_of_a_cycle_that_holds_nothing(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("close", BTC, typed="n\n")
    assert (done.returncode, desk.allowed()) == (1, {BTC: "all"})
    assert done.stdout.splitlines() == [
        "From now on BTC/USD is paused: no BUYs, take profits go on.",
        "BTC/USD: its cycle holds nothing, so nothing is sold.",
        "Do it? [y/N]",
        "Nothing was done.",
    ]
    desk.sql("UPDATE dca_assets SET allowed = 'exit'")
    done = desk.run("close", BTC, typed="n\n")
    assert "BTC/USD is already paused: no BUYs" in done.stdout


def test_a_resumed_row_that_is_disabled_is_not_said_to_trade(desk: Desk) -> None:
    desk.add(BTC)
    desk.sql("UPDATE dca_assets SET allowed = 'exit', is_enabled = FALSE")
    done = desk.run("resume", BTC, "--yes")
    assert "It is disabled, though" in done.stdout


def test_where_nothing_would_change_nothing_is_asked(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.run("resume")
    assert (done.returncode, done.stderr) == (0, "")
    assert "BTC/USD already trades without restriction" in done.stdout
    desk.sql("UPDATE dca_assets SET allowed = 'exit'")
    for verb in ("resume", "finish"):
        done = desk.run(verb)
        assert (done.returncode, done.stderr, desk.events()) == (0, "", [])
        assert "`dca resume" in done.stdout


def test_ctrl_c_at_the_question_does_nothing_and_says_so(desk: Desk) -> None:
    desk.add(BTC)
    done = desk.interrupt("close", BTC)
    assert (done.returncode, desk.allowed(), done.stderr) == (130, {BTC: "all"}, "")
    assert done.stdout.endswith("Nothing was done.\n")


def test_what_needs_an_answer_of_alpaca_says_what_to_do_without_one(desk: Desk) -> None:
    desk.add(BTC)
    desk.sql("UPDATE dca_assets SET is_enabled = FALSE")
    desk.market.post("/sim/faults", {"name": "server_error", "params": {"status": 503}})
    done = desk.run("enable", BTC, "--yes")
    assert done.returncode == 1
    assert "; nothing was done, try again later" in done.stderr
