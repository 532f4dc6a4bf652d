#!/bin/sh
# Scripts parse in the shells that they name.
status=0
for script in $(grep -rlE '^#!/bin/(sh|bash)' tests .ci harness/completion); do
    $(sed -n '1s/^#!//p' "$script") -n "$script" || status=1
done
bash -n harness/completion/tcpfault.bash || status=1
for script in $(grep -rl '^#!/usr/bin/python3' tests); do
    /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$script" || status=1
done
exit $status
