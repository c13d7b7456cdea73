#!/bin/sh
# Killed at random moments and resumed, neuroset segment ends with the same bytes. NEUROSET_KILLS: how many times.
. "$(dirname "$0")/common.sh"
kills=${NEUROSET_KILLS:-10} seed=${NEUROSET_KILL_SEED:-1}
"$neuroset" simulate movie -o "$tmp/movie" --height 96 --width 96 --frames 300 --cells 12 --seed 4 -q
movie=$tmp/movie/movie.tif
run() { "$neuroset" segment "$movie" --motion blocks --threads 2 "$@"; }
files() { (cd "$1" && find . -type f ! -name run.json | LC_ALL=C sort); }

start=$(date +%s%N)
run -o "$tmp/whole" -q
length=$((($(date +%s%N) - start) / 1000000)) # ms
files "$tmp/whole" >"$tmp/names"

# check_same DIR: what a run that was cut off ended with
check_same() {
    files "$1" >"$tmp/names.found"
    cmp "$tmp/names" "$tmp/names.found" || fail "$1 holds other files"
    while read -r name; do
        cmp -s "$tmp/whole/$name" "$1/$name" || fail "$1/$name differs from that of a whole run"
    done <"$tmp/names"
    grep -q '"status": "done"' "$1/run.json" || fail "$1/run.json does not say done"
    for f in "$1".tmp-* "$1"/.work; do
        [ ! -e "$f" ] || fail "$f is left behind"
    done
}

# start_and_kill MS STEP ARGUMENT...: kill -9 that many milliseconds after the start or, unless -, after STEP left its file
start_and_kill() {
    ms=$1 step=$2
    shift 2
    "$neuroset" segment "$movie" --motion blocks --threads 2 -q -o "$@" & # not by run(): its shell would be killed
    pid=$!
    while [ "$step" != - ] && ! ls "$1.tmp-neuroset/.work/"*-"$step".state >/dev/null 2>&1; do
        kill -0 $pid 2>/dev/null || break
        sleep .002
    done
    sleep "$(awk "BEGIN { print $ms / 1000 }")"
    kill -9 $pid 2>/dev/null || :
    code=0
    wait $pid 2>/dev/null || code=$?
}

# start_until STEP DIR: killed once that step has left its file; the program may win that race, tried again then
start_until() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        start_and_kill 0 "$1" "$2"
        [ -e "$2" ] || return 0
        rm -rf "$2"
    done
    fail "ended before it could be killed after $1, ten times"
}

# Half the moments are counted from the start, half from a step's file on; every third run is killed again as it goes on.
awk -v n="$kills" -v seed="$seed" -v ms="$length" 'BEGIN {
    srand(seed)
    split("motion masks traces", step)
    for (i = 1; i <= 4 * n; i++)
        print i, int(rand() * ms * (i % 2 ? 1.02 : .08)), i % 2 ? "-" : step[1 + int(rand() * 3)], int(rand() * ms * .6)
}' >"$tmp/moments"
killed=0 gone_on=0
while read -r i first step second; do
    start_and_kill "$first" "$step" "$tmp/k$i"
    [ "$code" = 137 ] || { rm -rf "$tmp/k$i" && continue; }
    killed=$((killed + 1))
    [ $((i % 3)) != 0 ] || [ -e "$tmp/k$i" ] || start_and_kill "$second" - "$tmp/k$i" --resume
    run -o "$tmp/k$i" --resume 2>"$tmp/stderr" || { cat "$tmp/stderr"; fail "not resumed after $first ms"; }
    ! grep -q 'going on after' "$tmp/stderr" || gone_on=$((gone_on + 1))
    check_same "$tmp/k$i"
    rm -rf "$tmp/k$i"
    [ $killed -lt "$kills" ] || break
done <"$tmp/moments"
echo "$killed kills in runs of $length ms: the same bytes each time; $gone_on went on from a step's file"

# after each step; the step is said, and other threads and memory are no other settings
for step in motion masks traces; do
    start_until $step "$tmp/s"
    "$neuroset" segment "$movie" --motion blocks --threads 1 --memory 256MB -o "$tmp/s" --resume 2>"$tmp/stderr"
    grep -q "going on after $step\|is done" "$tmp/stderr" || { cat "$tmp/stderr"; fail "not gone on after $step"; }
    check_same "$tmp/s"
    rm -rf "$tmp/s"
done

# a damaged file: that step is done again
start_until masks "$tmp/d"
for f in "$tmp/d.tmp-neuroset/.work/"*.state; do
    head -c 300 "$f" >"$tmp/cut" && cp "$tmp/cut" "$f"
done
run -o "$tmp/d" --resume 2>"$tmp/stderr"
grep -q 'motion.state: damaged.*done again' "$tmp/stderr" || { cat "$tmp/stderr"; fail 'a damaged file is not told'; }
check_same "$tmp/d"

# done already; another input: anew, and said
run -o "$tmp/d" --resume 2>"$tmp/stderr"
grep -q 'is done' "$tmp/stderr" || fail 'a finished result is not told'
expect 2 'exists already' "$neuroset" segment "$movie" -o "$tmp/d" --resume -q
start_until motion "$tmp/i"
touch "$movie"
run -o "$tmp/i" --resume 2>"$tmp/stderr"
grep -q 'starting anew' "$tmp/stderr" || fail 'another input is not told'
check_same "$tmp/i"
