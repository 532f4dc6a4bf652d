#!/bin/sh
# mandoc has nothing to say about the manual pages. Which other pages a machine
# has is not theirs to answer for; that ours are there is.
found=$(
    for page in harness/man/*.[1-9]; do
        mandoc -T lint -W style "$page" 2>&1
    done | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db'
    sed -n 's/^\.Xr \(tcpfault[a-z-]*\) \([0-9]\).*/harness\/man\/\1.\2/p' harness/man/*.[1-9] | sort -u |
        while read -r page; do [ -e "$page" ] || echo "$page: referred to, but not there"; done
)
[ -z "$found" ] || { printf '%s\n' "$found"; exit 1; }
