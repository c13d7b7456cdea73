#!/bin/sh
# Words on the command line: help, version, wrong options, configuration file, exit codes.
. "$(dirname "$0")/common.sh"
"$neuroset" --version | grep -q '^neuroset [0-9]' || fail 'no version'
for c in info sort segment simulate train compare; do
    "$neuroset" $c --help | grep -q "^usage: neuroset $c" || fail "no help of $c"
    [ "$("$neuroset" $c --manual | cat - | md5sum)" = "$(md5sum <"$source/docs/commands/$c.md")" ] ||
        fail "docs/commands/$c.md is not what neuroset $c --manual prints"
done
expect 2 "no command 'sortt'" "$neuroset" sortt
expect 2 'no option --treshold' "$neuroset" sort x.bin -o y --treshold 5
expect 2 "'0' is not a number from 2 to 50" "$neuroset" sort x.bin -o y --threshold 0
expect 2 'needs a value' "$neuroset" sort x.bin -o
expect 2 'usage: neuroset sort' "$neuroset" sort
expect 2 'one argument too many' "$neuroset" compare a b c
expect 2 'not one of none|median' "$neuroset" sort x.bin -o y --reference mean
expect 3 'no.such.bin' "$neuroset" sort "$tmp/no.such.bin" -o "$tmp/out" --format raw --rate 30000 --channels 4
expect 3 'no such model' "$neuroset" sort x.bin -o y --model ./none
printf '# comment\nthreshold = 99\n' >"$tmp/conf"
expect 2 'conf: line 2: --threshold' "$neuroset" sort x.bin -o y --config "$tmp/conf"
"$neuroset" --complete-bash | bash -n || fail 'the completion is no shell script'
