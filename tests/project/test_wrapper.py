"""run_script_wrapper.sh as cron and people call it, on copies of the project."""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dca_bot.program.setting_values import Values
from dca_bot.program.settings import PROJECT_ROOT
from tests.helpers import eventually

CRON_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
SCRIPT = """
import os, signal, sys

def end_cleanly(number, frame):
    print("ended cleanly", flush=True)
    sys.exit(0)

print("hello", *sys.argv[1:], flush=True)
if "WAIT" in os.environ:
    signal.signal(signal.SIGTERM, end_cleanly)
    print("waiting", flush=True)
    signal.pause()
sys.exit(int(os.environ.get("STATUS", "0")))
"""


def make_project(directory: Path) -> Path:
    """A copy whose requirements are empty, so that nothing is fetched."""
    project = directory / "my dca bot"
    project.mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "run_script_wrapper.sh", project)
    (project / "requirements.txt").write_text("# nothing\n")
    (project / "requirements-dev.txt").write_text("-r requirements.txt\n")
    (project / "hello.py").write_text(SCRIPT)
    return project


def command(project: Path, *arguments: str) -> list[str]:
    return [str(project / "run_script_wrapper.sh"), *arguments]


def wrapped(
    project: Path, *arguments: str, env: dict[str, str] = CRON_ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(project, *arguments),
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def shims(directory: Path, **scripts: str) -> dict[str, str]:
    """An environment in which these commands come first; underscores stand for dots."""
    directory.mkdir()
    for name, text in scripts.items():
        path = directory / name.replace("_", ".")
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def python_that_counts(counter: Path) -> str:
    real = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    return f'[ "$2" = venv ] && echo made >>"{counter}"; exec "{real}" "$@"'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose venv two simultaneous first runs have made, over a half-made one."""
    directory = tmp_path_factory.mktemp("wrapper")
    project = make_project(directory)
    (project / "venv" / "bin").mkdir(parents=True)
    (project / "venv" / "bin" / "python").symlink_to("/bin/false")
    env = shims(directory / "shims", python3=python_that_counts(directory / "count"))
    first = command(project, "hello.py")
    both = [subprocess.Popen(first, env=env, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(timeout=300) for run in both] == [0, 0]
    return project


def test_two_first_runs_at_once_make_the_venv_once(project: Path) -> None:
    assert (project.parent / "count").read_text() == "made\n"
    assert (project / "logs" / "hello.log").read_text().count("hello\n") == 2


def test_cron_output_is_appended_and_the_exit_status_passed_on(project: Path) -> None:
    log = project / "logs" / "hello.log"
    log.write_text("earlier\n")
    done = wrapped(project, "hello.py", env={**CRON_ENVIRONMENT, "STATUS": "7"})
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")
    assert log.read_text() == "earlier\nhello\n"


def test_the_documented_crontab_bears_a_blank_in_the_project_s_path(project: Path) -> None:
    crontab = (PROJECT_ROOT / "docs" / "crontab.example").read_text()
    log = project / "logs" / "hello.log"
    log.write_text("")
    jobs = re.findall(r"^(?:\S+ ){5}(.+) \w+\.py$", crontab, re.MULTILINE)
    for job in jobs:
        job = job.replace("/path_to_project", str(project))
        subprocess.run(["/bin/sh", "-c", f"{job} hello.py"], env=CRON_ENVIRONMENT, check=True)
    assert log.read_text() == "hello\n" * 4


def test_an_answer_to_a_person_is_shown_also_through_a_pipe(project: Path, tmp_path: Path) -> None:
    env = {**CRON_ENVIRONMENT, "STATUS": "7", "LOG_DIR": str(tmp_path / "none")}
    done = wrapped(project, "hello.py", "--status", "a  b", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello --status a  b\n", "")
    assert not (tmp_path / "none").exists()


def test_log_dir_is_honoured(project: Path, tmp_path: Path) -> None:
    env = {**CRON_ENVIRONMENT, "LOG_DIR": str(tmp_path / "our logs")}
    assert wrapped(project, "hello.py", env=env).returncode == 0
    assert (tmp_path / "our logs" / "hello.log").read_text() == "hello\n"


@pytest.mark.parametrize(
    "text",
    [
        "LOG_DIR={}",
        "LOG_DIR = {}   # where the logs are\r",
        'export LOG_DIR="{}"  # "quoted"',
        "LOG_DIR=first\n  LOG_DIR='{}'\nMY_LOG_DIR=other\n# LOG_DIR=other\n",
        "\ufeffLOG_DIR={}\nLOG_LEVEL=INFO",
        "DB_PASSWORD='$(touch owned)'\nLOG_DIR={}\n",
    ],
)
def test_log_dir_is_read_from_the_env_file_as_the_scripts_do(
    project: Path, tmp_path: Path, text: str
) -> None:
    ours, env_file = tmp_path / "our logs#1", project / ".env"
    env_file.write_text(text.format(ours) + "\n")
    try:
        assert Values({}, env_file).optional("LOG_DIR") == str(ours)
        assert wrapped(project, "hello.py").returncode == 0
        assert (ours / "hello.log").read_text() == "hello\n"
        env = {**CRON_ENVIRONMENT, "LOG_DIR": str(tmp_path / "wins")}
        assert wrapped(project, "hello.py", env=env).returncode == 0
        assert (tmp_path / "wins" / "hello.log").read_text() == "hello\n"
        assert not (project / "owned").exists()
    finally:
        env_file.unlink()


@pytest.mark.parametrize(
    "text", ["LOG_DIR=", "LOG_DIR=''  # none", "# LOG_DIR=x", "LOG_DIR='$(x)'"]
)
def test_what_is_no_log_dir_or_looks_like_a_command_is_taken_as_it_stands(
    project: Path, text: str
) -> None:
    env_file = project / ".env"
    env_file.write_text(text)
    try:
        logs = project / (Values({}, env_file).optional("LOG_DIR") or "logs")
        (logs / "hello.log").unlink(missing_ok=True)
        assert wrapped(project, "hello.py").returncode == 0
        assert (logs / "hello.log").read_text() == "hello\n"
    finally:
        env_file.unlink()


def test_a_link_in_the_place_of_the_log_is_not_followed(project: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious\n")
    (tmp_path / "hello.log").symlink_to(precious)
    done = wrapped(project, "hello.py", env={**CRON_ENVIRONMENT, "LOG_DIR": str(tmp_path)})
    assert done.returncode == 1
    assert "symbolic link: remove it" in done.stderr
    assert precious.read_text() == "precious\n"


def test_a_log_is_never_writable_by_others(project: Path, tmp_path: Path) -> None:
    env = {**CRON_ENVIRONMENT, "LOG_DIR": str(tmp_path / "logs")}
    before = os.umask(0)
    try:
        wrapped(project, "hello.py", env=env)
    finally:
        os.umask(before)
    for path in (tmp_path / "logs", tmp_path / "logs" / "hello.log"):
        assert not path.stat().st_mode & 0o022


def test_a_link_to_the_wrapper_finds_the_project(project: Path, tmp_path: Path) -> None:
    link = tmp_path / "dca"
    link.symlink_to(project / "run_script_wrapper.sh")
    env = {**CRON_ENVIRONMENT, "STATUS": "5", "LOG_DIR": str(tmp_path)}
    assert subprocess.run([link, "hello.py"], env=env).returncode == 5


def test_term_reaches_the_script_which_ends_cleanly(project: Path, tmp_path: Path) -> None:
    log = tmp_path / "hello.log"
    env = {**CRON_ENVIRONMENT, "WAIT": "1", "LOG_DIR": str(tmp_path)}
    run = subprocess.Popen(command(project, "hello.py"), env=env)
    eventually(lambda: log.exists() and "waiting" in log.read_text(), 30)
    run.send_signal(signal.SIGTERM)
    assert run.wait(timeout=30) == 0
    assert log.read_text().endswith("ended cleanly\n")


def test_on_a_terminal_the_output_is_shown(project: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    env = {**CRON_ENVIRONMENT, "STATUS": "3", "LOG_DIR": str(tmp_path / "none")}
    run = subprocess.Popen(command(project, "hello.py"), stdout=theirs, env=env)
    os.close(theirs)
    assert os.read(ours, 1000).decode().strip() == "hello"
    assert run.wait(timeout=30) == 3
    os.close(ours)
    assert not (tmp_path / "none").exists()


def test_a_module_run_shows_its_output_anywhere(project: Path) -> None:
    done = wrapped(project, "-m", "hello", "4", env={**CRON_ENVIRONMENT, "STATUS": "4"})
    assert (done.returncode, done.stdout) == (4, "hello 4\n")


def test_a_module_that_is_no_test_needs_no_development_tools(project: Path) -> None:
    tools = project / "requirements-dev.txt"
    good = tools.read_text()
    tools.write_text("-r missing.txt\n")
    assert wrapped(project, "-m", "hello").returncode == 0
    assert "requirements-dev.txt" in wrapped(project, "-m", "pytest").stderr
    tools.write_text(good)
    assert wrapped(project, "-m", "hello").returncode == 0


def test_what_was_installed_by_hand_is_not_installed_again(project: Path) -> None:
    requirements = project / "requirements.txt"
    good = requirements.read_text()
    [pip] = project.glob("venv/lib/*/site-packages/pip-*.dist-info")
    pinned = pip.name.removesuffix(".dist-info").replace("-", "==")
    requirements.write_text(f"# by hand\n{pinned}\n")
    for stamp in project.glob("venv/.installed-*"):
        stamp.unlink()
    done = wrapped(project, "hello.py", "--status")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello --status\n", "")
    requirements.write_text(good)


def test_changed_requirements_are_installed(project: Path) -> None:
    installed = (project / "venv" / ".installed-requirements.txt").read_text()
    (project / "requirements.txt").write_text("# nothing, in other words\n")
    assert wrapped(project, "hello.py").returncode == 0
    assert (project / "venv" / ".installed-requirements.txt").read_text() != installed


def test_requirements_that_cannot_be_installed_are_tried_again(project: Path) -> None:
    requirements = project / "requirements.txt"
    good = requirements.read_text()
    requirements.write_text("-r missing.txt\n")
    assert [wrapped(project, "hello.py").returncode for _ in range(2)] == [1, 1]
    requirements.write_text(good)
    assert wrapped(project, "hello.py").returncode == 0


def test_an_unknown_script_and_no_script_are_usage_errors(project: Path) -> None:
    for arguments in ([], ["nothing.py"]):
        done = wrapped(project, *arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_without_a_usable_python_one_line_says_what_to_install(tmp_path: Path) -> None:
    old = dict.fromkeys(["python3", *(f"python3_{n}" for n in range(11, 15))], "exit 1")
    done = wrapped(make_project(tmp_path), "-m", "hello", "0", env=shims(tmp_path / "shims", **old))
    assert done.returncode == 1
    assert "apt-get install python3 python3-venv" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("user", "expected"), [("0", "'apt-get"), ("1000", "'sudo apt-get")])
def test_a_missing_venv_module_is_named(tmp_path: Path, user: str, expected: str) -> None:
    real = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    env = shims(
        tmp_path / "shims",
        python3=f'[[ "$2" == *ensurepip* ]] && exit 1; exec "{real}" "$@"',
        id=f"echo {user}",
        **{"apt-get": f'echo "$@" >>"{tmp_path}/apt"'},
    )
    done = wrapped(make_project(tmp_path), "-m", "hello", "0", env=env)
    package = f"python3.{sys.version_info.minor}-venv"
    assert done.returncode == 1
    assert f"{expected} install {package}'" in done.stderr.splitlines()[-1]
    assert (tmp_path / "apt").exists() == (user == "0")


def test_an_ordinary_user_is_told_of_everything_that_is_missing_at_once(tmp_path: Path) -> None:
    real = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    env = shims(
        tmp_path / "shims",
        python3=f'[[ "$2" == *ensurepip* ]] && exit 1; exec "{real}" "$@"',
        id="echo 1000",
    )
    for name in ("bash", "basename", "dirname", "readlink"):
        (tmp_path / "shims" / name).symlink_to(shutil.which(name) or "")
    project = make_project(tmp_path)
    wrapper = project / "run_script_wrapper.sh"
    # no MariaDB on a path that ends with our shims
    text = wrapper.read_text()
    wrapper.write_text(re.sub(r"^PATH=.*$", f"PATH={tmp_path}/shims", text, flags=re.MULTILINE))
    done = wrapped(project, "hello.py", "--demo", env=env)
    packages = f"python3.{sys.version_info.minor}-venv mariadb-server-core mariadb-client-core"
    assert done.returncode == 1
    assert f"'sudo apt-get install {packages}'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
