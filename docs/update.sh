#!/bin/sh
# update.sh [NEUROSET]: writes docs/commands/ anew from the program's option rows. A test compares them.
set -eu
neuroset=${1:-build/app/neuroset}
mkdir -p "$(dirname "$0")/commands"
for c in $("$neuroset" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
    "$neuroset" "$c" --manual >"$(dirname "$0")/commands/$c.md"
done
