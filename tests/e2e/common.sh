# Sourced by the end-to-end tests: run.sh SCRIPT NEUROSET SOURCE gives each an empty folder of its own in $tmp.
set -eu
neuroset=$1 source=$2
NEUROSET_MODELS=$source/models
export NEUROSET_MODELS
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp" 2>/dev/null; rm -rf "$tmp"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

# expect CODE PATTERN COMMAND...: exit code and a line of stderr that says why
expect() {
    code=$1 pattern=$2
    shift 2
    got=0
    "$@" >"$tmp/stdout" 2>"$tmp/stderr" || got=$?
    [ "$got" = "$code" ] || { cat "$tmp/stderr"; fail "exit code $got, $code expected: $*"; }
    grep -q -- "$pattern" "$tmp/stderr" || { cat "$tmp/stderr"; fail "no '$pattern' in what was said: $*"; }
    [ "$code" = 0 ] || [ "$(wc -l <"$tmp/stderr")" -le 12 ] || fail "more than a few lines: $*"
}

same() { # same FOLDER FOLDER FILE...
    a=$1 b=$2
    shift 2
    for f in "$@"; do
        [ "$(sha256sum <"$a/$f")" = "$(sha256sum <"$b/$f")" ] || fail "$f differs between $a and $b"
    done
}

nothing_left() { # nothing_left DIR: neither the result nor a part of it
    for f in "$1" "$1".tmp-*; do
        [ ! -e "$f" ] || fail "$f is left behind"
    done
}
