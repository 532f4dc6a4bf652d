#!/bin/sh
# cppcheck over the sources, the tables expanded.
#
# Left out: fixtures and tests, as for clang-tidy; what it says of headers that it
# was not given; of readdir, which is safe on one's own DIR; and of a mapping that
# is returned, or a descriptor that main makes sure of, which it takes for leaks.
exec cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --inline-suppr \
    --enable=warning,performance,portability --library=posix,gnu \
    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=normalCheckLevelMaxBranches \
    --suppress=readdirCalled --suppress=memleak:preload/segment.c --suppress=leakReturnValNotUsed:harness/main.c \
    -D_GNU_SOURCE -D__linux__ -D__x86_64__ -D__GNUC__=12 -DTF_LIBDIR='""' \
    -Ipreload -Iharness -I"$BUILD" -j 2 preload harness tests/bench tests/fuzz
