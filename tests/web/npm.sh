#!/bin/sh
# Unpacks packages of npm's registry, and no dependency of theirs, for the tests:
#
#   tests/web/npm.sh DIR <tests/web/packages
#
# Each ends in DIR/NAME, the part of a scoped name behind "/". What does not have
# the checksum in the list is refused. Status 3: the registry does not answer.
set -eu
dir=$1
mkdir -p "$dir"
while read -r package version sum; do
    case $package in
    '#'* | '') continue ;;
    esac
    name=${package##*/}
    [ ! -e "$dir/$name/.$version" ] || continue
    archive=$(cd "$dir" && timeout 60 npm pack --silent --ignore-scripts --fetch-retries=1 --fetch-timeout=20000 \
        --fetch-retry-mintimeout=1000 "$package@$version" </dev/null) ||
        { echo "npm: $package $version: not to be had" >&2; exit 3; }
    archive=$dir/$archive
    got=$(sha256sum "$archive" | cut -d' ' -f1)
    [ "$got" = "$sum" ] || { echo "npm: $package $version: its checksum is $got, expected $sum" >&2; exit 1; }
    rm -rf "${dir:?}/$name"
    mkdir "$dir/$name"
    tar -xzf "$archive" -C "$dir/$name" --strip-components 1
    rm "$archive"
    touch "$dir/$name/.$version"
done
