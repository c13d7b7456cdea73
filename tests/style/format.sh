#!/bin/sh
# format.sh ROOT: every C file is as clang-format writes it. Exit 77 without clang-format.
set -eu
cd "$1"
command -v clang-format >/dev/null || { echo 'SKIP: clang-format is not installed'; exit 77; }
clang-format --dry-run --Werror $(git ls-files '*.c' '*.h' 2>/dev/null || find app lib tests -name '*.[ch]')
