#!/bin/sh
# Every C file is as clang-format leaves it; the .def tables have their own shape.
found=$(find preload harness fixtures tests -name '*.[ch]' \
    -exec clang-format --dry-run -Werror {} + 2>&1 | sed -n 's/: error: .*clang-format.*//p')
[ -z "$found" ] || {
    printf '%s\n' "$found" | cut -d: -f1,2 | sort -u -t: -k1,1 | sed 's/$/: the first line that `make format` changes/'
    exit 1
}
