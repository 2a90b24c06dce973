#!/bin/bash
# run_script_wrapper.sh X.py [arguments]        runs X.py in the project's venv; cron calls this
# run_script_wrapper.sh -m module [arguments]   runs a module there: -m dca_bot status, -m pytest
#
# Makes the venv and installs the requirements, unless that has been done, by this script or by
# hand.  The development tools are installed only for what needs them (pytest, mypy, ruff, tests).
# What cron starts, without arguments and without a terminal, is appended to logs/X.log (or
# LOG_DIR/X.log, with LOG_DIR from the environment or .env).  Everything else is a person's
# question: the answer goes where it was asked.
# Needs nothing from its surroundings: any working directory, cron's bare environment.
set -uo pipefail

project=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
wrapper=$(basename "${BASH_SOURCE[0]}")
PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
export PATH PIP_DISABLE_PIP_VERSION_CHECK=1
setup_wait_seconds=900
venv_package='import sys; print("python%d.%d-venv" % sys.version_info[:2])'

fail() {
    echo "$wrapper: $1" >&2
    exit "${2:-1}"
}

# What the venv was made for. The project's path and the interpreter are part of it: a venv that
# was copied elsewhere, or whose Python was replaced, would import from the wrong place.
wanted_stamp() {
    cat "$@" | sha256sum
    pwd -P
    readlink -f venv/bin/python
}

is_installed() { # is_installed STAMP FILE...
    [ -x venv/bin/python ] && [ "$(cat "$1" 2>/dev/null)" = "$(wanted_stamp "${@:2}")" ]
}

# Whether the venv holds what these files pin, and the project itself from this directory.
holds_all_of() {
    venv/bin/python - "$@" 2>/dev/null <<'PYTHON'
import json, os, re, sys
from importlib.metadata import distribution, version

for line in (line.strip() for file in sys.argv[1:] for line in open(file)):
    if pin := re.fullmatch(r"([\w.-]+)==(\S+)", line):
        assert version(pin[1]) == pin[2]
    elif re.match(r"-e \.(\[|$)", line):
        url = json.loads(distribution("dca-bot").read_text("direct_url.json"))["url"]
        assert url == "file://" + os.getcwd()
    else:
        assert not line or line.startswith("#") or line.removeprefix("-r ") in sys.argv[1:]
PYTHON
}

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# Everything that somebody who can't install it must ask for, in one line and before the long part.
name_what_is_missing() { # name_what_is_missing ARGUMENTS
    [ "$(id -u)" != 0 ] || return 0
    local python missing=()
    if ! python=$(find_python); then
        missing+=(python3 python3-venv)
    elif [ ! -x venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=("$("$python" -c "$venv_package")")
    fi
    # the private database of demo and tests: programs only, no service
    case "$*" in
        *--demo* | *--simulated* | "-m pytest"* | "-m tests."*)
            command -v mariadbd mysqld >/dev/null &&
                command -v mariadb-install-db mysql_install_db >/dev/null ||
                missing+=(mariadb-server-core mariadb-client-core) ;;
    esac
    [ ${#missing[@]} = 0 ] ||
        fail "something is missing: run 'sudo apt-get install ${missing[*]}', then this again"
}

# Debian keeps a part of Python's venv in a package of its own.
ensure_venv_module() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return
    local package
    package=$("$1" -c "$venv_package")
    if command -v apt-get >/dev/null; then
        local quietly=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
        "${quietly[@]}" update </dev/null >&2
        "${quietly[@]}" install -y --no-install-recommends "$package" </dev/null >&2
        "$1" -c 'import ensurepip, venv' 2>/dev/null && return
        fail "could not install $package: run 'apt-get install $package', then this again"
    fi
    fail "Python's venv module is not complete: install $package, then run this again"
}

make_venv() {
    # Whatever a broken attempt left behind: only a venv whose pip works is one.
    venv/bin/python -m pip --version >/dev/null 2>&1 && return
    local python
    python=$(find_python) ||
        fail "needs Python 3.11 or newer: install it ('apt-get install python3 python3-venv' does \
on Debian 12 and Ubuntu 24.04 and newer), then run this again"
    ensure_venv_module "$python"
    "$python" -m venv --clear venv || fail "could not make venv: see the lines above"
}

install_requirements() { # install_requirements FILE [FILE...], of which the last includes the others
    local stamp="venv/.installed-${*: -1}" last="${*: -1}"
    is_installed "$stamp" "$@" && return
    # Two at once: the second waits for the first, and then finds everything done. The lock is on
    # the project's directory itself, so there is no file to leave behind.
    exec 9<.
    flock -w "$setup_wait_seconds" 9 ||
        fail "another run has been installing for $setup_wait_seconds s: stop it, then run this again"
    if ! is_installed "$stamp" "$@"; then
        if ! holds_all_of "$@"; then
            make_venv
            rm -f venv/.installed-*
            echo "$wrapper: installing $last" >&2
            venv/bin/python -m pip install --quiet -r "$last" ||
                fail "could not install $last: see the lines above, then run this again"
        fi
        # a venv that this user may only read is looked through again next time
        {
            wanted_stamp "$@" >"$stamp"
            wanted_stamp requirements.txt >venv/.installed-requirements.txt
        } 2>/dev/null
    fi
    exec 9<&-
}

# LOG_DIR as the scripts find it: the environment wins over .env, of which the last line counts,
# with quotes, comments and export as usual.  Read as text: nothing in it is run or expanded.
log_dir() {
    local line value="${LOG_DIR-}" setting='^[[:space:]]*(export[[:space:]]+)?LOG_DIR[[:space:]]*=[[:space:]]*(.*)$'
    if [ -z "${LOG_DIR+set}" ] && [ -f .env ] && [ -r .env ]; then
        while IFS= read -r line || [ -n "$line" ]; do
            [[ ${line#$'\xef\xbb\xbf'} =~ $setting ]] || continue
            value=${BASH_REMATCH[2]}
            case $value in
                \'*) value=${value#\'} value=${value%%\'*} ;;
                \"*) value=${value#\"} value=${value%%\"*} ;;
                *) value=${value%%[[:space:]]#*} ;;
            esac
        done <.env
    fi
    [[ $value =~ ^[[:space:]]*(.*[^[:space:]])?[[:space:]]*$ ]]
    echo "${BASH_REMATCH[1]:-logs}"
}

[ $# -gt 0 ] || fail "name a script: $wrapper order_manager.py [arguments]" 2
cd "$project" || fail "cannot enter $project"
name_what_is_missing "$@"

if [ "$1" = -m ]; then
    case "${2:-}" in
        pytest | mypy | ruff | tests.* | benchmarks.*)
            install_requirements requirements.txt requirements-dev.txt ;;
        *) install_requirements requirements.txt ;;
    esac
else
    [ -f "$1" ] || fail "there is no script '$1' in $project" 2
    if [ $# = 1 ] && [ "$1" != integration_test.py ] && [ ! -t 1 ]; then
        logs=$(log_dir)
        log="$logs/$(basename "$1" .py).log"
        # a link that somebody else has put there could lead to a file that must not be written
        [ ! -L "$log" ] || fail "$log is a symbolic link: remove it"
        (umask go-w && mkdir -p -- "$logs" && touch -- "$log") ||
            fail "cannot write $log: make $logs writable"
        exec >>"$log" 2>&1
    fi
    install_requirements requirements.txt
fi

# exec: signals and the exit status are the script's own.
exec venv/bin/python "$@"
