#!/bin/sh
# cppcheck over the sources, the tables expanded.
#
# Left out: what it says of headers that it was not given, of functions whose
# shape libc or a library dictates, and of readdir, which is safe on one's own DIR;
# and that a mapping is a leak where it is returned.
exec cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --inline-suppr \
    --enable=warning,performance,portability --library=posix,gnu \
    --suppress=missingIncludeSystem --suppress=readdirCalled --suppress=unknownMacro --suppress=normalCheckLevelMaxBranches \
    --suppress=memleak:preload/segment.c \
    -D_GNU_SOURCE -D__linux__ -D__x86_64__ -D__GNUC__=12 \
    -DTF_LIBDIR='""' -DTF_SOURCE='""' -DTF_BUILD='""' \
    -Ipreload -Iharness -Itests -I"$BUILD" -j 2 \
    preload harness fixtures tests
