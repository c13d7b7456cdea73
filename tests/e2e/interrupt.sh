#!/bin/sh
# Ctrl-C ends cleanly: exit code 5, nothing left behind. A full disk: exit code 4, nothing left behind.
. "$(dirname "$0")/common.sh"
"$neuroset" simulate recording -o "$tmp/rec" --seconds 20 --seed 3 -q
"$neuroset" sort "$tmp/rec/recording.bin" -o "$tmp/out" --threads 1 2>"$tmp/stderr" &
pid=$!
sleep .7
kill -INT $pid || fail 'sorting ended before it could be interrupted'
code=0
wait $pid || code=$?
[ $code = 5 ] || { cat "$tmp/stderr"; fail "exit code $code after an interrupt, 5 expected"; }
nothing_left "$tmp/out"

if [ "$(id -u)" = 0 ] && mkdir "$tmp/full" && mount -t tmpfs -o size=64k none "$tmp/full" 2>/dev/null; then
    trap 'umount "$tmp/full"; rm -rf "$tmp"' EXIT
    code=0
    "$neuroset" sort "$source/datasets/tetrode.bin" -o "$tmp/full/out" -q 2>"$tmp/stderr" || code=$?
    [ $code = 4 ] || { cat "$tmp/stderr"; fail "exit code $code on a full disk, 4 expected"; }
    [ -z "$(ls -A "$tmp/full")" ] || fail 'something is left on the full disk'
fi
