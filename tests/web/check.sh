#!/bin/sh
# make web-check: the html report in a browser, and SARIF against its schema.
#
#   BUILD=DIR tests/web/check.sh
#
# What it draws is in BUILD/web; the pictures of the documents are made here.
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build}
web=$BUILD/web
rm -rf "$web"
mkdir -p "$web"
tests/web/npm.sh "$(realpath -m "$BUILD/npm")" <tests/web/packages || exit 2
"$BUILD/tcpfault" run -j 2 --seed 1 --quiet --output "$web/demo" tests/web/demo.yaml >"$web/demo.txt" 2>&1
for run in shown:16 large:500 hostile:16; do
    name=${run%:*}
    option=
    [ "$name" != hostile ] || option=--hostile
    # shellcheck disable=SC2086
    tests/web/sample.py $option "$web/demo/run.json" "${run#*:}" >"$web/$name.json" || exit 2
    "$BUILD/tcpfault" report -o "$web/$name.html" -o "$web/$name.sarif" "$web/$name.json" || exit 2
done
"$BUILD/tcpfault" report -o "$web/demo.html" -o "$web/demo.sarif" "$web/demo" || exit 2
exec node tests/web/check.mjs "$(realpath "$BUILD")"
