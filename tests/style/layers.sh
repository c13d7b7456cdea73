#!/bin/sh
# layers.sh ROOT: reads the #include lines and fails on an arrow that points up.
#
#   commands -> {ephys, imaging} -> {results, signal, cli's progress and models} -> lib's public face
#   lib: {symmetry, exchangeable} -> train -> net -> math -> base; model -> {net, base}
set -eu
cd "$1"
awk '
function room(path) { # the room of a file: app/x/..., lib/x/...
    split(path, part, "/")
    return part[1] == "app" && path !~ /\/.*\// ? "main" : part[2]
}
BEGIN {
    may["commands"] = " commands cli ephys imaging results signal "
    may["ephys"] = " ephys results signal cli "
    may["imaging"] = " imaging results signal cli "
    may["results"] = " results cli "
    may["signal"] = " signal cli "
    may["cli"] = " cli "
    may["main"] = " cli commands "
    may["base"] = " base "
    may["math"] = " math base "
    may["net"] = " net math base "
    may["train"] = " train net math base "
    may["symmetry"] = " symmetry train net math base "
    may["exchangeable"] = " exchangeable train net math base "
    may["model"] = " model net base "
}
/^#include "/ {
    split($0, word, "\"")
    from = room(FILENAME)
    n = split(word[2], piece, "/")
    to = n > 1 ? piece[1] : from # a neighbour
    if (FILENAME ~ /^lib/ && n > 1 && to == "..") to = piece[2]
    if (index(may[from], " " to " ") == 0) {
        print FILENAME ": " $0 ": " from " may not include " to
        bad = 1
    }
    if (from != "main" && from != "commands" && from != "cli" && to == "cli" && word[2] !~ /progress\.h$/) {
        print FILENAME ": " $0 ": of cli only progress.h is for the front ends"
        bad = 1
    }
}
/^#include <neuroset\// && FILENAME ~ /^lib\/base/ {
    if ($0 !~ /(error|file|memory|random|real|workers)\.h>/) { print FILENAME ": " $0 ": base knows nobody"; bad = 1 }
}
END { exit bad }
' $(git ls-files 'app/*.c' 'app/*.h' 'lib/*.c' 'lib/*.h' 2>/dev/null || find app lib -name '*.[ch]')
