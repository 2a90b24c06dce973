"""Whatever can be asked of the simulator is described in docs/simulator.md."""

import re

from alpaca_simulator.__main__ import routes
from alpaca_simulator.faults import CATALOGUE
from alpaca_simulator.options import argument_parser, read_options
from alpaca_simulator.server import Sites, application
from dca_bot.program.settings import PROJECT_ROOT

GUIDE = (PROJECT_ROOT / "docs" / "simulator.md").read_text()


def test_every_option_is_described() -> None:
    options = re.findall(r"--[a-z-]+", argument_parser().format_help())
    assert [one for one in sorted(set(options) - {"--help"}) if f"`{one}" not in GUIDE] == []


def test_every_fault_is_described() -> None:
    assert [name for name in CATALOGUE if f"`{name}`" not in GUIDE] == []


def test_every_control_path_is_described() -> None:
    options = read_options([])
    app = application(Sites(options, routes), options)
    paths = {route.resource.canonical for route in app.router.routes() if route.resource}
    ours = sorted(path for path in paths if path.startswith("/sim/"))
    assert len(ours) >= 20
    assert [path for path in ours if path.split("/{")[0] not in GUIDE] == []
