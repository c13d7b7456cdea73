#!/bin/sh
# run.sh BUILD-FOLDER NEUROSET SOURCE-FOLDER CHECK.py: one check of our files with the programs that others read them with.
#
# They live in a Python environment of their own under the build folder, made at the first run. Exit 77, with the reason,
# when it cannot be made. The checks print what is wrong and exit 1, or 77.
set -eu
build=$1 neuroset=$2 source=$3 check=$4
venv=$build/interop-venv
want=$(cat "$source/requirements.txt" "$source/requirements-alone.txt" | cksum)

exec 9>"$build/interop-venv.lock"
flock 9
if [ "$(cat "$venv/complete" 2>/dev/null)" != "$want" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >"$build/interop-venv.log" 2>&1 || {
        echo "SKIP: python3 -m venv does not work here, see $build/interop-venv.log"
        exit 77
    }
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$source/requirements.txt" >>"$build/interop-venv.log" 2>&1 || {
        echo "SKIP: the packages of $source/requirements.txt could not be installed, see $build/interop-venv.log"
        exit 77
    }
    # Of these one function is used, which needs nothing of what they depend on (torch, Qt).
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$source/requirements-alone.txt" \
        >>"$build/interop-venv.log" 2>&1 || {
        echo "SKIP: the packages of $source/requirements-alone.txt could not be installed, see $build/interop-venv.log"
        exit 77
    }
    echo "$want" >"$venv/complete"
fi
flock -u 9

exec "$venv/bin/python" -W ignore "$source/$check" "$neuroset"
