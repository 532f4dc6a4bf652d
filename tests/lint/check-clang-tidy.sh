#!/bin/sh
# clang-tidy with the checks of .clang-tidy, two processes at a time.
#
# Not over the fixtures, which are wrong on purpose, nor the tests, which go on
# after a failed assertion: there compilers and sanitizers must do.
find preload harness tests/bench tests/fuzz -name '*.c' -print0 |
    xargs -0 -n 4 -P 2 sh -c '
        found=$(clang-tidy --quiet "$@" -- -std=gnu17 -D_GNU_SOURCE -Wno-unknown-warning-option \
            -Ipreload -Iharness -I"$BUILD" -DTF_LIBDIR="\"\"" 2>/dev/null) ||
            { printf "%s\n" "$found"; exit 1; }' sh
