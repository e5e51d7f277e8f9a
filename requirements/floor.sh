#!/bin/sh
# Makes .floor, the environment of test/test_floor.py: Python 3.6 with what floor.txt names (a download of 900 MB).
# PYTHON36 names the interpreter; else python3.6 from the PATH or from pyenv. Without one this ends with a reason and
# exit status 0, and the test is skipped.
set -eu
cd "$(dirname "$0")/.."
if [ -e .floor/made ] && [ ! requirements/floor.txt -nt .floor/made ]; then
    exit 0
fi
python=
for candidate in "${PYTHON36:-}" python3.6 "$HOME"/.pyenv/versions/3.6.*/bin/python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 6))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo 'No floor: found no Python 3.6; install one (pyenv install 3.6.15) or name it in PYTHON36.'
    exit 0
fi
if ! { "$python" -m venv --clear .floor && .floor/bin/python -m pip install -q 'pip==21.3.1' 'setuptools==59.6.0' &&
       .floor/bin/python -m pip install -q -r requirements/floor.txt; }; then
    rm -rf .floor
    echo 'No floor: pip could not install requirements/floor.txt, for the reason above.'
    exit 0
fi
touch .floor/made
