#!/bin/sh
# Make the virtual environment $1 hold everything that the lock $2 names, and the kit itself from this folder.
# PYTHON may name the interpreter; UV names uv's program, and pip is used where it is empty.
set -eu
venv=$1
lock=$2

fail() {
    echo "make: $1" >&2
    exit 1
}

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Debian keeps the part of Python that puts pip into an environment in a package of its own.
has_pip() {
    [ -n "${UV:-}" ] || "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

find_python() {
    without_pip=
    for candidate in ${PYTHON:-python3 python3.15 python3.14 python3.13 python3.12 python3.11 python}; do
        fits "$candidate" || continue
        if has_pip "$candidate"; then
            command -v "$candidate"
            return
        fi
        without_pip=$candidate
    done
    [ -z "$without_pip" ] || fail "$without_pip cannot make virtual environments. To do: install its venv package \
(on Debian and Ubuntu: apt install python3-venv), or install uv."
    [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not a Python that fits. Wanted: Python 3.11 or newer."
    # Interpreters that uv keeps for itself are on no PATH.
    if [ -n "${UV:-}" ] && "$UV" python find --no-project '>=3.11' 2>/dev/null; then
        return
    fi
    fail "no Python that fits was found. Wanted: Python 3.11 or newer. \
To do: install one, or name one: make PYTHON=/path/to/python3.14"
}

rm -f "$venv/.installed"
# An interpreter that was asked for by name is what the environment must be of.
wanted=$(find_python)
version='import sys; print(sys.version_info[:2])'
if ! fits "$venv/bin/python" \
    || { [ -n "${PYTHON:-}" ] && [ "$("$venv/bin/python" -c "$version")" != "$("$wanted" -c "$version")" ]; }; then
    rm -rf "$venv"
    echo "Making $venv with $("$wanted" --version) ($wanted)"
    if [ -n "${UV:-}" ]; then
        "$UV" venv --quiet --no-project --python "$wanted" "$venv"
    else
        "$wanted" -m venv "$venv"
    fi
fi

if [ -n "${UV:-}" ]; then
    echo "Installing what $lock names, with uv"
    install_lock() {
        "$UV" pip install --quiet --compile-bytecode --python "$venv/bin/python" \
            --require-hashes --requirement "$lock"
    }
    # uv trusts certificates of its own; some networks need the system's. The second name is that of older versions.
    install_lock || {
        echo "Trying again with the certificates of the system"
        export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
        install_lock
    }
    "$UV" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
else
    "$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
    echo "Installing what $lock names, with pip: this can take some minutes"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
touch "$venv/.installed"
