#!/bin/sh
# make web-check, and a stage of make ci: the html report in a browser, and SARIF
# against its schema. Where there is no browser, or no npm registry, it says so and
# tries nothing.
#
#   BUILD=DIR tests/web/check.sh
#
# What it draws is in BUILD/web; the pictures of the documents are made here.
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build}
web=$BUILD/web

skip() {
    echo "ok 1 - the reports in a browser # SKIP $*"
    exit 0
}

rm -rf "$web"
mkdir -p "$web"
missing=$(timeout 240 tests/setup.sh --install web 2>&1) ||
    skip "skipped: $(echo "$missing" | grep -m1 missing || echo 'no browser')"
tests/web/npm.sh "$(realpath -m "$BUILD/npm")" <tests/web/packages
case $? in
0) ;;
3) skip "skipped: the npm registry is not there" ;;
*) exit 2 ;;
esac

report() {
    "$BUILD/tcpfault" report -o "$web/$1.html" -o "$web/$1.sarif" -o "$web/$1.report.json" "$2" || exit 2
}

# sample RUN NAME CASES [OPTION]
sample() {
    tests/web/sample.py ${4:+"$4"} "$web/$1/run.json" "$3" >"$web/$2.json" || exit 2
    report "$2" "$web/$2.json"
}

# Both have findings.
"$BUILD/tcpfault" run -j 2 --seed 1 --quiet --output "$web/demo" tests/web/demo.yaml >"$web/demo.txt" 2>&1
"$BUILD/tcpfault" check client -j 2 --seed 1 --quiet --output "$web/battery" --only reading --only half-close \
    --only setsockopt --peer "$BUILD/fixtures/reply-good -p {port}" -- "$BUILD/fixtures/fetch-reset-is-eof" \
    -p '{port}' >"$web/battery.txt" 2>&1
# One command that writes, sends and is called what tries to get out of a page.
"$BUILD/tcpfault" inject --check --quiet --output "$web/inject" '%in:short=60' -- /usr/bin/python3 -c '
import os, socket, sys
sys.stdout.buffer.write(sys.argv[1].encode() + b"\x1b[31m\0\xff" + b"x" * 10000000)
a, b = socket.socket(), socket.socket()
a.bind(("127.0.0.1", 0)); a.listen(); b.connect(a.getsockname()); c, _ = a.accept()
c.send(sys.argv[1].encode()); b.recv(99); os.abort()' \
    '</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1>' >"$web/inject.txt" 2>&1
report demo "$web/demo"
report inject "$web/inject"
sample demo shown 16 --excused
sample demo large 500
sample demo hostile 16 --hostile
sample battery battery 0 --verdicts
sample battery hostile-battery 0 --hostile
exec node tests/web/check.mjs "$(realpath "$BUILD")"
