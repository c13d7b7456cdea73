#!/bin/sh
# run.sh: installs what is missing, builds with -Werror and runs every test. Last line: N passed, N failed, N skipped.
# Folders: build/ (the program), build-asan/ and build-tsan/ (the unit suite once more under sanitizers).
set -u
cd "$(dirname "$0")/.."
sh tests/install.sh || exit 2
[ -n "${NEUROSET_TEST_DATA:-}" ] || NEUROSET_TEST_DATA=$PWD/../shared/data
export NEUROSET_TEST_DATA OPENBLAS_NUM_THREADS=1
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # replays of damaged files write thousands of them
passed=0 failed=0 skipped=0

say() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }

configure() { # configure FOLDER OPTION...: a folder made by other options is set anew
    folder=$1
    shift
    if [ -d "$folder" ]; then
        meson configure "$folder" "$@" >/dev/null
    else
        meson setup "$folder" "$@" >"$folder.log" 2>&1 || { cat "$folder.log"; rm -f "$folder.log"; return 1; }
        rm -f "$folder.log"
    fi
}

count() { # count OUTPUT: adds the sums that Meson prints
    for word in Ok 'Expected Fail' Fail 'Unexpected Pass' Skipped Timeout; do
        n=$(sed -n "s/^$word: *\([0-9][0-9]*\).*/\1/p" "$1" | tail -1)
        case $word in
        Ok | 'Expected Fail') passed=$((passed + ${n:-0})) ;;
        Skipped) skipped=$((skipped + ${n:-0})) ;;
        *) failed=$((failed + ${n:-0})) ;;
        esac
    done
}

part() { # part TITLE FOLDER MESON-TEST-ARGUMENT...
    say "$1"
    folder=$2
    shift 2
    out=$folder/run-sh.log
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" >"$out" 2>&1
    status=$?
    grep -E '^ *[0-9]+/[0-9]+ |^stdout|^stderr|SKIP|Assertion|Failure|FAIL' "$out" | head -200
    before=$passed.$failed.$skipped
    count "$out"
    if [ "$status" != 0 ] && [ "$before" = "$passed.$failed.$skipped" ]; then
        cat "$out"
        failed=$((failed + 1))
    fi
}

build() { # build TITLE FOLDER OPTION...
    say "$1"
    folder=$2
    shift 2
    if configure "$folder" "$@" && ninja -C "$folder" >"$folder/build.log" 2>&1; then
        passed=$((passed + 1))
        return 0
    fi
    grep -E 'error|FAILED' "$folder/build.log" 2>/dev/null | head -30
    failed=$((failed + 1))
    return 1
}

if build 'build, warnings are errors' build -Dwerror=true; then
    part 'style, layers, headers' build --suite style --suite layering --suite headers
    part 'unit' build --suite unit
    part 'golden and fuzz corpora' build --suite golden --suite fuzz
    part 'end to end' build --suite e2e
    part 'interoperation' build --suite interop
    part 'reproductions, the quick ones' build --suite reproduce
    part 'valgrind, a part of the unit suite' build --suite unit --setup valgrind \
        test_base test_model test_train test_recording
fi
# How much the sanitizers slow a test down, and gcc's guesses about text lengths, which change with them, are no faults.
export CK_TIMEOUT_MULTIPLIER=10 UBSAN_OPTIONS=halt_on_error=1
if build 'build with address and undefined-behaviour sanitizers' build-asan -Dbuildtype=debugoptimized \
    -Db_sanitize=address,undefined -Dwerror=false; then
    part 'unit suite and fuzz corpora under ASan and UBSan' build-asan --suite unit --suite fuzz --timeout-multiplier 8
fi
if build 'build with the thread sanitizer' build-tsan -Dbuildtype=debugoptimized -Db_sanitize=thread -Dwerror=false; then
    part 'the threaded part of the unit suite under TSan' build-tsan --suite unit --timeout-multiplier 8 \
        test_base test_net_gates test_sort_stages test_segmenter test_motion test_traces
fi

say 'done'
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
