#!/bin/sh
# sizes.sh ROOT: functions of at most 80 lines, files of at most 700; exceptions with a reason stand in exceptions.txt.
set -eu
cd "$1"
awk '
FILENAME ~ /exceptions\.txt$/ { if ($0 !~ /^#/ && NF > 1) allowed[$1] = 1; next }
FNR == 1 { if (last && lines > 700 && !(last in allowed)) { print last ": " lines " lines, at most 700"; bad = 1 } last = FILENAME; start = 0 }
{ lines = FNR }
/^{/ { start = FNR }
/^}/ {
    if (start && FNR - start + 1 > 80 && !(FILENAME ":" name in allowed)) {
        print FILENAME ":" start ": " name " has " (FNR - start + 1) " lines, at most 80"
        bad = 1
    }
    start = 0
}
/^[a-z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
END { if (lines > 700 && !(last in allowed)) { print last ": " lines " lines, at most 700"; bad = 1 } exit bad }
' tests/style/exceptions.txt $(git ls-files '*.c' '*.h' 2>/dev/null || find app lib tests -name '*.[ch]')
