#!/bin/sh
# Are the things here that a goal needs? Says what is missing, or installs it.
#
#   tests/setup.sh [--install] build|demo|test|web|known
#
# Each goal includes the one before, but "known" not "web". What is looked for is
# the thing itself, not the package, so a system without dpkg, or nginx-full for
# nginx-light, will do.
# Missing things are named with their Debian packages and the one apt-get line,
# and the status is 1. With --install, root gets them installed instead; no
# service is started or enabled by that.
set -u

# Daemons live where an ordinary user's PATH does not look.
PATH=$PATH:/usr/sbin:/sbin

CC=${CC:-gcc}

# goal  package  probe...
needs() {
    cat <<'END'
build gcc                tool gcc
build libc6-dev          header stdio.h
build make               tool make
build pkg-config         tool pkg-config
build libfiu-dev         header fiu.h
build libcyaml-dev       header cyaml/cyaml.h
build libyaml-dev        header yaml.h
build libjansson-dev     header jansson.h
build libuv1-dev         header uv.h
build libdw-dev          header elfutils/libdwfl.h
build libmnl-dev         header libmnl/libmnl.h
build libnftables-dev    header nftables/libnftables.h
demo  curl               tool curl
demo  redis-server       tool redis-server
demo  redis-tools        tool redis-cli
demo  python3            file /usr/bin/python3
demo  socat              tool socat
test  libcunit1-dev      header CUnit/CUnit.h
test  clang              tool clang
test  libclang-rt-dev    runtime fuzzer
test  clang-format       tool clang-format
test  clang-tidy         tool clang-tidy
test  cppcheck           tool cppcheck
test  mandoc             tool mandoc
test  libxml2-utils      tool xmllint
test  python3-jsonschema file /usr/lib/python3/dist-packages/jsonschema/__init__.py
test  valgrind           tool valgrind
test  strace             tool strace
test  procps             tool ps
test  iproute2           tool ip
test  nftables           tool nft
test  fiu-utils          tool fiu-ctrl
test  libfiu0            file /usr/lib/fiu/fiu_posix_preload.so
test  faketime           tool faketime
test  memcached          tool memcached
test  nginx-light        tool nginx
test  haproxy            tool haproxy
test  netcat-openbsd     tool nc
test  nodejs             tool node
test  iperf3             tool iperf3
test  wrk                tool wrk
web   chromium           tool chromium
web   fonts-dejavu-core  file /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
web   npm                tool npm
known lighttpd           tool lighttpd
known dropbear-bin       tool dropbear
known openssh-client     tool ssh-keyscan
known mosquitto          tool mosquitto
known postgresql-15      file /usr/lib/postgresql/15/bin/postgres
known wget               tool wget
known aria2              tool aria2c
known lftp               tool lftp
END
}

have() {
    case $1 in
    tool) command -v "$2" ;;
    file) test -e "$2" ;;
    header) # by name: a compiler would also fail over what the header includes
        ls "/usr/include/$2" || ls "/usr/local/include/$2" || ls /usr/include/*-linux-gnu/"$2"
        ;;
    runtime) ls "$(clang -print-resource-dir)"/lib/linux/libclang_rt."$2"-* ;;
    esac >/dev/null 2>&1
}

missing() {
    needs | while read -r set package kind thing; do
        case $1:$set in
        build:demo | build:test | build:web | build:known | demo:test | demo:web | demo:known) continue ;;
        test:web | test:known | web:known | known:web) continue ;;
        esac
        # Another compiler was asked for: it is the one that must be there.
        case $CC:$package in
        *clang*:gcc) package=clang thing=$CC ;;
        esac
        have "$kind" "$thing" || printf '%s\n' "$package"
    done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# Daemons that some of the packages bring. The programs are wanted, not the services.
services() {
    for service in redis-server memcached nginx haproxy iperf3 lighttpd mosquitto postgresql; do
        case " $1 " in
        *" $service "* | *" $service-light "* | *" $service-15 "*) printf '%s\n' "$service" ;;
        esac
    done
}

# In a mount namespace of its own, a running systemd is out of the packages'
# sight, so their scripts start nothing. Where the kernel refuses the namespace
# (a container), there is no systemd to hide.
unpack() {
    if [ -d /run/systemd/system ] && unshare --mount true 2>/dev/null; then
        # shellcheck disable=SC2016
        unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec "$@"' sh "$@"
    else
        "$@"
    fi
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    get="apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 -q"
    printf 'setup: installing %s\n' "$*"
    # The lists of a fresh system are empty, those of an old one out of date.
    $get --download-only "$@" >/dev/null 2>&1 || apt-get update -q || return 1
    $get --download-only "$@" >/dev/null || return 1
    log=$(mktemp)
    unpack $get "$@" >"$log" 2>&1 || { cat "$log"; rm -f "$log"; return 1; }
    rm -f "$log"
    for service in $(services "$*"); do
        update-rc.d "$service" disable >/dev/null 2>&1
        invoke-rc.d "$service" stop >/dev/null 2>&1
    done
    return 0
}

can_install=no
if [ "${1-}" = --install ]; then
    can_install=yes
    shift
fi
case ${1-} in
build | demo | test | web | known) goal=$1 ;;
*)
    echo "usage: $0 [--install] build|demo|test|web|known" >&2
    exit 2
    ;;
esac

if [ ! -e /proc/self/exe ]; then
    echo "tcpfault: /proc is not mounted here (a chroot?): mount -t proc proc /proc" >&2
    exit 1
fi

absent=$(missing "$goal")
[ -n "$absent" ] || exit 0

if [ $can_install = yes ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # The probe for clang's runtime needs clang: look again.
    for round in 1 2; do
        # shellcheck disable=SC2086
        install $absent || break
        absent=$(missing "$goal")
        [ -n "$absent" ] || exit 0
        [ $round = 2 ] || echo "setup: still missing: $absent"
    done
fi

sudo='sudo '
[ "$(id -u)" != 0 ] || sudo=
update=
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || update="${sudo}apt-get update && "
{
    echo "tcpfault: packages missing for this: $absent"
    echo "Install them with:"
    echo "    $update${sudo}apt-get install --no-install-recommends $absent"
} >&2
exit 1
