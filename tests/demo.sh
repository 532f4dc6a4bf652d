#!/bin/sh
# make demo: the example suites, then one fault in one command.
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
tcpfault=$BUILD/tcpfault

"$tcpfault" run -j "${JOBS:-2}" fixtures/scenarios
status=$?

log=$(mktemp)
/usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory fixtures 0 >"$log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -f "$log"' EXIT
port=
for _ in $(seq 100); do
    port=$(sed -n 's/^Serving HTTP on .* port \([0-9]*\).*/\1/p' "$log")
    [ -z "$port" ] || break
    sleep 0.1
done
[ -n "$port" ] || { echo "demo: the web server did not start"; cat "$log"; exit 3; }

# show COMMAND...: the command, what it prints, and its status.
show() {
    printf '\n$ %s\n' "$*"
    "$@"
    echo "(exit status $?)"
}
echo
echo "One command, with and without a fault. The server is up all the time:"
show curl -sS -o /dev/null "http://127.0.0.1:$port/"
show "$tcpfault" inject connect:error=ECONNREFUSED:when=1 -- \
    curl -sS -o /dev/null "http://127.0.0.1:$port/"
exit $status
