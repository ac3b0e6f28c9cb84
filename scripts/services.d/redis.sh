# Redis: keeps nothing past its end, as the state of limits must bear.
# shellcheck shell=bash disable=SC2154

redis_missing() {
    command -v redis-server >/dev/null || echo "  redis-server (Debian: apt-get install redis-server)"
}

redis_start() {
    local folder=$instance/redis
    choose_port redis/port 16379 CHORUS_SERVICES_REDIS_PORT || return 1
    # The title would hide the folder by which our own process is known.
    printf '%s\n' 'bind 127.0.0.1' "port $(port_of redis/port)" 'save ""' 'appendonly no' "dir \"$folder\"" 'set-proc-title no' >"$folder/redis.conf"
    launch redis redis-server "$folder/redis.conf"
}

redis_stop() {
    kill "$1"
}

redis_pid() {
    cat "$instance/redis/pid" 2>/dev/null
}

redis_answers() {
    local reply=''
    { exec 3<>"/dev/tcp/127.0.0.1/$(port_of redis/port)"; } 2>/dev/null || return 1
    printf 'PING\r\n' >&3 && read -r -t 2 reply <&3 || true
    exec 3>&-
    [ "${reply%$'\r'}" = +PONG ]
}

redis_address() {
    echo "127.0.0.1:$(port_of redis/port)"
}

redis_version() {
    redis-server --version | sed 's/^Redis server v=\([^ ]*\).*/Redis \1/'
}

redis_env() {
    local url
    url=redis://$(redis_address)
    echo "CHORUS_TEST_REDIS=$url"
    echo "CHORUS_LIMITS_KIND=redis"
    echo "CHORUS_LIMITS_URL=$url"
}
