#!/bin/sh
# One libFuzzer target for FUZZ_SECONDS, from the corpus of its name.
#
#   BUILD=DIR FUZZ_SECONDS=N tests/fuzz/run.sh BUILD/fuzz/fuzz_NAME
#
# What it learns stays in BUILD; an input that breaks it is left there and named.
cd "$(dirname "$0")/../.." || exit 2
target=$1
name=${target##*/}
work=$BUILD/fuzz/found/$name
seeds=tests/fuzz/corpus/${name#fuzz_}
[ -d "$seeds" ] || seeds=
dictionary=tests/fuzz/${name#fuzz_}.dict
[ -f "$dictionary" ] && dictionary=-dict=$dictionary || dictionary=

mkdir -p "$work"
echo "$name: for ${FUZZ_SECONDS:-60} s"
# shellcheck disable=SC2086
if "$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$BUILD/fuzz/$name-" $dictionary "$work" $seeds >"$work.log" 2>&1; then
    grep -E '^stat::(number_of|average|peak)' "$work.log"
    echo "$name: 1 passed, 0 failed"
else
    tail -n 60 "$work.log"
    echo "$name: 0 passed, 1 failed"
    exit 1
fi
