# bash completion for tcpfault(1)                          -*- shell-script -*-

_tcpfault_calls="socket bind listen accept accept4 connect close shutdown setsockopt getsockopt
    getsockname getpeername read readv preadv2 recv recvfrom recvmsg recvmmsg splice write writev
    pwritev2 send sendto sendmsg sendmmsg sendfile poll ppoll select pselect epoll_wait epoll_pwait
    epoll_pwait2 epoll_ctl dup dup2 dup3 fcntl ioctl %in %out %accept %wait %option %all"

# Selectors, when, and what happens; those with a value end in "=".
_tcpfault_keys="role= family= peer= local= conn= opt= bytes= exe= caller= errno= when= prob= per= allow=any
    error= delay= short= eof reset drop drop= ignore rate= corrupt corrupt= signal="

# One rule: what may stand where the cursor is. Words break at ":" and "="
# (COMP_WORDBREAKS) and only the last piece is replaced, except inside quotes.
_tcpfault_rule() {
    local rule=$1 cur=$2 keep= tail calls
    rule=${rule##*[;\'\"]}
    tail=${rule##*:}
    calls=${rule%%:*}
    if [[ $cur == [\'\"]* ]]; then
        cur=${cur:1}
        keep=${cur%"${cur##*[:=]}"}
    fi
    cur=${cur##*[:=]}
    compopt -o nospace
    if [[ $rule != *:* ]]; then
        [[ $cur != *,* ]] || keep=${cur%,*},
        COMPREPLY=($(compgen -P "$keep" -W "$_tcpfault_calls" -- "${cur##*,}"))
        return
    fi
    case $tail in
        error=*)
            # A row of the list: the call, its class where it has one, its errors.
            COMPREPLY=($(compgen -W "$(tcpfault list calls 2>/dev/null | awk -v calls=",$calls," '
                { first = $2 ~ /^%/ ? 3 : 2 }
                index(calls, ",%all,") || index(calls, "," $1 ",") || index(calls, "," $2 ",") {
                    for (i = first; i <= NF; i++) { sub(",", "", $i); print $i }
                }' | sort -u)" -- "$cur"))
            ;;
        errno=*) COMPREPLY=($(compgen -W "$(tcpfault list errnos 2>/dev/null | awk '{ print $2 }' |
            sort -u)" -- "$cur")) ;;
        role=*) COMPREPLY=($(compgen -W "client server listener" -- "$cur")) ;;
        family=*) COMPREPLY=($(compgen -W "inet inet6" -- "$cur")) ;;
        per=*) COMPREPLY=($(compgen -W "run process connection" -- "$cur")) ;;
        allow=*) COMPREPLY=($(compgen -W "any" -- "$cur")) ;;
        opt=*) COMPREPLY=($(compgen -W "SO_REUSEADDR SO_REUSEPORT SO_KEEPALIVE SO_LINGER SO_RCVTIMEO
            SO_SNDTIMEO SO_ERROR TCP_NODELAY TCP_USER_TIMEOUT IPV6_V6ONLY" -- "$cur")) ;;
        signal=*) COMPREPLY=($(compgen -A signal -- "$cur")) ;;
        *=*) ;;
        *) COMPREPLY=($(compgen -W "$_tcpfault_keys" -- "$cur")) ;;
    esac
    COMPREPLY=("${COMPREPLY[@]/#/$keep}")
}

_tcpfault() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local line=${COMP_LINE:0:COMP_POINT} command= i
    local word=${line##*[[:space:]]}
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --)
                # The command under test completes as it does by itself.
                if declare -F _command_offset >/dev/null; then
                    _command_offset $((i + 1))
                elif ((COMP_CWORD == i + 1)); then
                    COMPREPLY=($(compgen -c -- "$cur"))
                else
                    COMPREPLY=($(compgen -f -- "$cur"))
                fi
                return
                ;;
            inject | run | check | trace | report | doctor | peer | list | help) [[ -n $command ]] || command=${COMP_WORDS[i]} ;;
        esac
    done

    case $prev in
        --output | --fixtures | --battery) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        -o | --file | --report | --control | --config | --record | --record-reply) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$cur")); return ;;
        --format)
            local formats="term json"
            [[ $command != run && $command != check && $command != report ]] || formats+=" tap junit sarif markdown html"
            COMPREPLY=($(compgen -W "$formats" -- "$cur"))
            return
            ;;
        --only | --skip | --explain)
            COMPREPLY=($(compgen -W "$(tcpfault list batteries 2>/dev/null | awk '{ print $1 }')" -- "$cur"))
            return
            ;;
        --seed | --timeout | --for | --filter | --repeat | -j | --jobs) return ;;
    esac

    case $command:$cur in
        :*) COMPREPLY=($(compgen -W "inject run check trace report doctor peer list help --help --version" -- "$cur")) ;;
        inject:-*) COMPREPLY=($(compgen -W "--allow-unfired --check --for --sandbox --control --seed --timeout --output --baseline --suppressions --quiet -q --verbose -v --color --help -h" -- "$cur")) ;;
        trace:-*) COMPREPLY=($(compgen -W "--file -o --format --for --sandbox --seed --timeout --output --baseline --suppressions --quiet -q --verbose -v --color --help -h" -- "$cur")) ;;
        run:-*) COMPREPLY=($(compgen -W "--jobs -j --filter --repeat --fail-fast --host --fixtures --format --report -o --seed --timeout --output --baseline --suppressions --quiet -q --verbose -v --color --help -h" -- "$cur")) ;;
        check:-*) COMPREPLY=($(compgen -W "--peer --send --reply --ready --config --env --only --skip --explain --battery --jobs -j --host --fixtures --format --report -o --seed --timeout --output --baseline --suppressions --quiet -q --verbose -v --color --help -h" -- "$cur")) ;;
        report:-*) COMPREPLY=($(compgen -W "--format --report -o --quiet -q --verbose -v --color --help -h" -- "$cur")) ;;
        help:*) COMPREPLY=($(compgen -W "inject run check trace report doctor peer list" -- "$cur")) ;;
        doctor:*) COMPREPLY=($(compgen -W "--format --help -h" -- "$cur")) ;;
        peer:-*) COMPREPLY=($(compgen -W "--address --timeout --delay --byte-at-a-time --read-slowly --pause --silent --no-read --vanish --no-close --reset --reset-after --send --send-first --repeat --expect --until --quiet-for --greeting --connections --times --from --half-close --leave --half-open --reply --request-ends --request-bytes --until-eof --speaks-first --keep-alive --once --only-first --backlog --close-after --reply-then-hold --unread --close-first --no-accept --lose-syn --simultaneous-open --record --record-reply --to-address --help -h" -- "$cur")) ;;
        peer:*) COMPREPLY=($(compgen -W "connect listen relay" -- "$cur")) ;;
        list:*) COMPREPLY=($(compgen -W "calls effects errnos checks batteries --format --help -h" -- "$cur")) ;;
        inject:*) _tcpfault_rule "$word" "$cur" ;;
        check:*) COMPREPLY=($(compgen -W "server client" -- "$cur")) ;;
        report:*) COMPREPLY=($(compgen -f -X '!*.json' -- "$cur") $(compgen -d -- "$cur")) ;;
        run:*) COMPREPLY=($(compgen -f -X '!*.@(yaml|yml)' -- "$cur") $(compgen -d -- "$cur")) ;;
    esac
}

complete -o filenames -o bashdefault -F _tcpfault tcpfault
