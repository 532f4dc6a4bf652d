#!/bin/sh
# Runs the checks beside this file, each in a process of its own.
#
#   BUILD=DIR tests/lint/run.sh [fast|slow]
#
# The slow ones read every file with a compiler's eyes; without an argument all
# are run.
# A check prints what it finds and exits non-zero; one line for each follows.
cd "$(dirname "$0")/../.." || exit 2
export BUILD="${BUILD:-build}" PATH="$PATH:/usr/sbin:/sbin"

passed=0 failed=0
for check in tests/lint/check-*; do
    name=${check##*/check-}
    name=${name%.*}
    case ${1-}:$name in
    fast:clang-tidy | fast:cppcheck) continue ;;
    slow:clang-tidy | slow:cppcheck) ;;
    slow:*) continue ;;
    esac
    if output=$("$check" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        printf '%s\n' "$output"
        echo "FAILED  $name"
    fi
done
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
