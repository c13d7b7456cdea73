#!/bin/sh
# Killed at random moments and resumed, neuroset sort ends with the same bytes. NEUROSET_KILLS: how many times.
. "$(dirname "$0")/common.sh"
kills=${NEUROSET_KILLS:-10} seed=${NEUROSET_KILL_SEED:-1}
"$neuroset" simulate recording -o "$tmp/rec" --layout linear --channels 6 --units 5 --median-snr 10 --seconds 20 --seed 3 -q
rec=$tmp/rec/recording.bin
run() { "$neuroset" sort "$rec" --threads 2 "$@"; }
files() { (cd "$1" && find . -type f ! -name run.json | LC_ALL=C sort); }

start=$(date +%s%N)
"$neuroset" sort "$rec" -o "$tmp/whole" --threads 2 -q
length=$((($(date +%s%N) - start) / 1000000)) # ms
files "$tmp/whole" >"$tmp/names"
[ "$(wc -l <"$tmp/whole/units.csv")" -ge 3 ] || fail 'too few units to tell anything'

# check_same DIR: what a run that was cut off ended with
check_same() {
    files "$1" >"$tmp/names.found"
    cmp "$tmp/names" "$tmp/names.found" || fail "$1 holds other files"
    while read -r name; do
        cmp -s "$tmp/whole/$name" "$1/$name" || fail "$1/$name differs from that of a whole run"
    done <"$tmp/names"
    grep -q '"status": "done"' "$1/run.json" || fail "$1/run.json does not say done"
    nothing_left_beside "$1"
}
nothing_left_beside() {
    for f in "$1".tmp-* "$1"/.work; do
        [ ! -e "$f" ] || fail "$f is left behind"
    done
}

# start_and_kill MS STEP ARGUMENT...: kill -9 that many milliseconds after the start or, unless -, after STEP left its file
start_and_kill() {
    ms=$1 step=$2
    shift 2
    "$neuroset" sort "$rec" --threads 2 -q -o "$@" &
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

# start_until STEP DIR: killed once that step has left its file. The last one leaves it shortly before the end, and a
# machine busy with other things may let the program win that race: tried again then.
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
    split("templates round-1 round-2 spikes", step)
    for (i = 1; i <= 4 * n; i++) # some come when the run is over: they do not count
        print i, int(rand() * ms * (i % 2 ? 1.02 : .08)), i % 2 ? "-" : step[1 + int(rand() * 4)], int(rand() * ms * .6)
}' >"$tmp/moments"
killed=0 gone_on=0 ready=0
while read -r i first step second; do
    start_and_kill "$first" "$step" "$tmp/k$i"
    [ "$code" = 137 ] || { rm -rf "$tmp/k$i" && continue; }
    killed=$((killed + 1))
    part=$tmp/k$i.tmp-neuroset
    if [ -e "$part/run.json" ]; then
        grep -q '"status": "\(running\|done\)"' "$part/run.json" || fail "run.json after $first ms says neither running nor done"
    fi
    [ $((i % 3)) != 0 ] || [ -e "$tmp/k$i" ] || start_and_kill "$second" - "$tmp/k$i" --resume
    run -o "$tmp/k$i" --resume 2>"$tmp/stderr" || { cat "$tmp/stderr"; fail "not resumed after $first ms"; }
    ! grep -q 'going on after' "$tmp/stderr" || gone_on=$((gone_on + 1))
    ! grep -q 'is done' "$tmp/stderr" || ready=$((ready + 1))
    check_same "$tmp/k$i"
    rm -rf "$tmp/k$i"
    [ $killed -lt "$kills" ] || break
done <"$tmp/moments"
echo "$killed kills in runs of $length ms: the same bytes each time; $gone_on went on from a step's file, $ready were done"

# after each step; the step is said
for step in templates round-1 round-2 spikes; do
    start_until $step "$tmp/s"
    run -o "$tmp/s" --resume 2>"$tmp/stderr"
    grep -q "resume: going on after" "$tmp/stderr" || fail "not gone on after $step"
    check_same "$tmp/s"
    rm -rf "$tmp/s"
done

# a damaged file: the step before is gone on from, or none
start_until round-1 "$tmp/d"
for f in "$tmp/d.tmp-neuroset/.work/"*.state; do
    head -c 300 "$f" >"$tmp/cut" && cp "$tmp/cut" "$f"
done
run -o "$tmp/d" --resume 2>"$tmp/stderr"
grep -q 'round-1.state: damaged.*done again' "$tmp/stderr" || { cat "$tmp/stderr"; fail 'a damaged file is not told'; }
check_same "$tmp/d"

# done already; without --resume it is kept as ever
run -o "$tmp/d" --resume 2>"$tmp/stderr"
grep -q 'is done' "$tmp/stderr" || fail 'a finished result is not told'
check_same "$tmp/d"
expect 2 'exists already' "$neuroset" sort "$rec" -o "$tmp/d" --threads 2 -q
expect 2 'exists already' "$neuroset" sort "$rec" -o "$tmp/d" --resume --seed 2 -q

# other settings, another input: anew, and said
start_until round-1 "$tmp/o"
run -o "$tmp/o" --resume --threshold 4.5 2>"$tmp/stderr"
grep -q 'other settings, input or program: starting anew' "$tmp/stderr" || fail 'other settings are not told'
run -o "$tmp/o2" --threshold 4.5 -q
same "$tmp/o" "$tmp/o2" units.csv spikes.npz
start_until round-1 "$tmp/i"
touch "$rec"
run -o "$tmp/i" --resume 2>"$tmp/stderr"
grep -q 'starting anew' "$tmp/stderr" || fail 'another input is not told'
check_same "$tmp/i"
run -o "$tmp/n" --resume 2>"$tmp/stderr"
grep -q 'no run left anything here' "$tmp/stderr" || fail 'nothing to go on from is not told'
check_same "$tmp/n"

# threads, memory and what is told are no other settings; without --resume a left-over is replaced
start_until round-1 "$tmp/t"
"$neuroset" sort "$rec" -o "$tmp/t" --resume --threads 1 --memory 256MB 2>"$tmp/stderr"
grep -q 'going on after' "$tmp/stderr" || fail 'other threads are taken for other settings'
check_same "$tmp/t"
start_until round-1 "$tmp/r"
run -o "$tmp/r" 2>"$tmp/stderr"
! grep -q 'resume:' "$tmp/stderr" || fail 'gone on without --resume'
check_same "$tmp/r"

# two runs never make the same folder; what is of no run is not touched
mkdir -p "$tmp/mine.tmp-neuroset" && echo keep >"$tmp/mine.tmp-neuroset/thesis.txt"
expect 2 'is in the way' "$neuroset" sort "$rec" -o "$tmp/mine" -q
[ -s "$tmp/mine.tmp-neuroset/thesis.txt" ] || fail 'a folder of no run was touched'
"$neuroset" sort "$rec" -o "$tmp/two" --threads 1 -q &
pid=$!
while [ ! -e "$tmp/two.tmp-neuroset/run.json" ]; do sleep .002; done
expect 2 'another run is writing' "$neuroset" sort "$rec" -o "$tmp/two" -q
wait $pid || fail 'the first of two runs failed'
check_same "$tmp/two"

# interrupted when it may be gone on with: what is done stays, and run.json says failed
start_until templates "$tmp/c"
"$neuroset" sort "$rec" -o "$tmp/c" --threads 1 --resume 2>"$tmp/stderr" &
pid=$!
sleep .05
kill -INT $pid
code=0
wait $pid || code=$?
if [ $code = 5 ]; then
    grep -q 'the same command goes on' "$tmp/stderr" || fail 'where the steps are kept is not told'
    grep -q '"status": "failed"' "$tmp/c.tmp-neuroset/run.json" || fail 'run.json does not say failed'
    run -o "$tmp/c" --resume 2>"$tmp/stderr"
    grep -q 'going on after' "$tmp/stderr" || fail 'not gone on after an interrupt'
fi
check_same "$tmp/c"
