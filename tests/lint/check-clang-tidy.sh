#!/bin/sh
# clang-tidy with the checks of .clang-tidy, two files at a time.
find preload harness fixtures tests -name '*.c' ! -path '*/programs/*' -print0 |
    xargs -0 -n 4 -P 2 sh -c '
        found=$(clang-tidy --quiet "$@" -- -std=gnu17 -D_GNU_SOURCE -Wno-unknown-warning-option \
            -Ipreload -Iharness -Itests -I"$BUILD" -DTF_LIBDIR="\"\"" -DTF_SOURCE="\"\"" -DTF_BUILD="\"\"" \
            2>/dev/null) || { printf "%s\n" "$found"; exit 1; }' sh
