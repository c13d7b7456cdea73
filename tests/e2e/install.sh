#!/bin/sh
# meson install into a private prefix, moved elsewhere: the program starts, finds its models, and a C program builds
# against neuroset.pc.
. "$(dirname "$0")/common.sh"
unset NEUROSET_MODELS
build=$3
DESTDIR="$tmp/first" meson install -C "$build" --no-rebuild --quiet >/dev/null 2>&1 || fail 'meson install'
mv "$tmp/first" "$tmp/moved"
program=$(find "$tmp/moved" -name neuroset -type f -path '*/bin/*')
[ -n "$program" ] || fail 'no program was installed'
"$program" --version >/dev/null || fail 'the moved program does not start'
"$program" sort "$source/datasets/tetrode.bin" -o "$tmp/out" -q || fail 'the moved program does not find its model'
pc=$(find "$tmp/moved" -name neuroset.pc)
lib=$(dirname "$(find "$tmp/moved" -name libneuroset.so)")
include=$(dirname "$(find "$tmp/moved" -name neuroset -type d -path '*/include/*')")
grep -q 'lneuroset' "$pc" || fail 'neuroset.pc does not name the library'
printf '#include <neuroset/random.h>\nint main(void) { nset_random r = nset_random_stream(1, "a", 0); return nset_random_u32(&r) == 0; }\n' >"$tmp/p.c"
cc -I "$include" "$tmp/p.c" -L "$lib" -lneuroset -Wl,-rpath,"$lib" -o "$tmp/p" || fail 'a program does not build'
"$tmp/p" || fail 'a program does not run'
