#!/bin/sh
# compile.sh CC INCLUDE: each public header alone, and twice, as strict C11.
set -eu
cc=$1 include=$2 failed=0
for header in "$include"/neuroset/*.h; do
    name=neuroset/${header##*/}
    printf '#include <%s>\n#include <%s>\nint nothing;\n' "$name" "$name" |
        $cc -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I "$include" -x c - || {
        echo "$name does not stand alone as C11"
        failed=1
    }
done
exit $failed
