#!/bin/sh
# make demo: the battery for servers on python's own web server, which has a fault
# worth finding; one fault in one command; then the example suites of real programs.
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
tcpfault=$BUILD/tcpfault
JOBS=${JOBS:-2}

# show COMMAND...: the command, what it prints, and its status.
show() {
    printf '\n$'
    for word; do
        case $word in
        *[\ \{\}]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    echo
    "$@"
    status=$?
    echo "(exit status $status)"
}

echo "A server, and what can happen to its sockets:"
show "$tcpfault" check server --peer 'curl -sS http://127.0.0.1:{port}/' -- \
    /usr/bin/python3 -m http.server --bind 127.0.0.1 '{port}'
checked=$status # 1: python 3.11 burns the CPU when it has no descriptor left

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

printf '\nOne command, with and without a fault. The server is up all the time:\n'
show curl -sS -o /dev/null "http://127.0.0.1:$port/"
show "$tcpfault" inject connect:error=ECONNREFUSED:when=1 -- \
    curl -sS -o /dev/null "http://127.0.0.1:$port/"

printf '\nSuites of scenarios for real programs:\n'
show "$tcpfault" run -j "$JOBS" fixtures/scenarios/real
[ "$checked" -le 1 ] || exit "$checked"
exit $status
