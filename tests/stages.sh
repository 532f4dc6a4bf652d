#!/bin/sh
# Runs stages of the tests and adds up what they say.
#
#   BUILD=DIR tests/stages.sh STAGE...
#   BUILD=DIR tests/stages.sh rest
#
# A stage's own count is taken where it prints one (CUnit's summary, TAP, or
# "N passed, N failed"); a stage that fails without one counts as one failure,
# and one that executes nothing is a failure, too. Logs are in BUILD/log/.
cd "$(dirname "$0")/.." || exit 2
export BUILD="${BUILD:-build}" PATH="$PATH:/usr/sbin:/sbin"
JOBS=${JOBS:-2}
make=${MAKE:-make}

# What `make test` leaves out.
REST="analysis clang address thread fuzz soak bench web"
[ "$(id -u)" != 0 ] || REST="$REST user"

# stage NAME: runs it, prints, returns its status. What it prints is its log.
stage() {
    case $1 in
    unit) "$BUILD/tests/unit/unit" ;;
    integration) "$BUILD/tests/integration/integration" -j "$JOBS" ;;
    scenarios) scenarios "$BUILD" ;;
    fidelity) /usr/bin/python3 tests/fidelity/fidelity.py --brief "$BUILD" ;;
    judging) /usr/bin/python3 tests/judging/no_alarms.py "$BUILD" 2 "$JOBS" ;;
    lint) tests/lint/run.sh fast ;;
    analysis) tests/lint/run.sh slow ;;
    clang) $make BUILD="$BUILD-clang" CC=clang all unit && scenarios "$BUILD-clang" ;;
    address) sanitized address,undefined unit integration && scenarios "$BUILD-address-undefined" ;;
    thread) sanitized thread unit ;;
    fuzz) $make fuzz ;;
    soak) $make soak ;;
    bench) $make bench-check ;;
    user) tests/as-user.sh ;;
    web) tests/web/check.sh ;;
    *) echo "no such stage: $1"; return 2 ;;
    esac
}

# A test may preload a library into the tool: AddressSanitizer would not start. The tool's
# own peer may run under the shim, and so with libfiu.
sanitized() {
    list=$1
    shift
    ASAN_OPTIONS=verify_asan_link_order=0 LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0" \
        $make SANITIZE="$list" BUILD="$BUILD-$(echo "$list" | tr , -)" "$@"
}

scenarios() {
    "$1/tcpfault" run -j "$JOBS" --format tap fixtures/scenarios
}

# count LOG: "passed failed skipped" of everything in it that counts. A line that
# is a total of its own ("N passed, N failed") stands for all that is above it.
count() {
    awk '
        # CUnit: "tests  Total Ran Passed Failed Inactive"
        $1 == "tests" && NF == 6 && $2 ~ /^[0-9]+$/ { passed += $4; failed += $5 }
        /^ok [0-9]/ { if (/# SKIP/) skipped++; else passed++ }
        /^not ok [0-9]/ { failed++ }
        /^[a-z_]+: [0-9]+ passed, [0-9]+ failed/ { passed += $2; failed += $4 }
        /^[0-9]+ passed, [0-9]+ failed/ { passed = $1; failed = $3; skipped = $5 }
        END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# failures LOG: what of it says what failed, for the end of a long output.
failures() {
    awk '
        /^ *\| / { next } # said by stages within this one
        /\.\.\.( ?\([0-9.]+ s\) )?FAILED/ { print; left = 8; next }
        /^ *(Test|Suite): / { left = 0 }
        /^not ok / { print; left = 16; next }
        /^ok / { left = 0 }
        /^(fidelity: .*differs|soak: .*(fail|not|stuck)|.*: (error|warning): |make.*\*\*\*)/ { print; next }
        left > 0 { print; left-- }' "$1" | cut -c1-300 | head -n 60 | sed 's/^/| /'
}

# shellcheck disable=SC2086
[ "$*" != rest ] || set -- $REST
mkdir -p "$BUILD/log"
passed=0 failed=0 skipped=0 bad=
for name; do
    log=$BUILD/log/$name.log
    echo "== $name"
    started=$(date +%s)
    { stage "$name" 2>&1 </dev/null; echo $? >"$log.status"; } | tee "$log"
    read -r status <"$log.status"
    count "$log" >"$log.count"
    read -r p f s <"$log.count"
    if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ $((p + s)) = 0 ]; }; then
        echo "$name: exited with status $status after $p tests"
        f=1
    fi
    [ "$f" = 0 ] || bad="$bad $name"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    echo "== $name: passed $p, failed $f, skipped $s; $(($(date +%s) - started)) s"
done
for name in $bad; do
    echo "failed: $name"
    failures "$BUILD/log/$name.log"
done
[ $skipped = 0 ] && skipped= || skipped=", $skipped skipped"
echo "$passed passed, $failed failed$skipped"
[ $failed = 0 ]
