# PostgreSQL: a cluster of its own that trusts everybody on the loopback.
# shellcheck shell=bash disable=SC2154

# Commits survive the death of the server's processes; fsync, which only a dying machine would need, is left out.
postgres_settings=(listen_addresses=127.0.0.1 unix_socket_directories= max_connections=200 fsync=off full_page_writes=off
    synchronous_commit=on logging_collector=off)

postgres_missing() {
    if [ -z "$(postgres_binaries)" ]; then
        echo "  the server of PostgreSQL 15 or later (Debian: apt-get install postgresql)"
    elif am_root && ! id postgres >/dev/null 2>&1; then
        echo "  a user named postgres: the server refuses to run as root (adduser --system --group postgres)"
    elif am_root && ! command -v setpriv >/dev/null; then
        echo "  setpriv, to run the server as user postgres (Debian: apt-get install util-linux)"
    fi
}

# The newest of the system's packages, else what is on PATH.
postgres_binaries() {
    local folder
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && [ -x "$folder/pg_ctl" ]; then
            echo "$folder"
            return
        fi
    done
}

# Runs one of the server's programs as the cluster's owner.
postgres_run() {
    local program
    program=$(postgres_binaries)/$1
    shift
    if am_root; then
        (cd / && LC_ALL=C exec setpriv --reuid=postgres --regid=postgres --init-groups "$program" "$@" 9>&-)
    else
        LC_ALL=C "$program" "$@" 9>&-
    fi
}

postgres_start() {
    local folder=$instance/postgres setting options
    choose_port postgres/port 15432 CHORUS_SERVICES_POSTGRES_PORT || return 1
    postgres_own "$folder" || return 1
    if [ ! -s "$folder/data/PG_VERSION" ]; then
        rm -rf "$folder/data"
        postgres_run initdb -D "$folder/data" -A trust -U postgres --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 || {
            report "initdb failed:" "$(tail -n 5 "$folder/initdb.log")"
            return 1
        }
    fi
    options="-p $(port_of postgres/port)"
    for setting in "${postgres_settings[@]}"; do options+=" -c $setting"; done
    options+=" ${CHORUS_SERVICES_POSTGRES_OPTIONS:-}"
    postgres_clear
    # Right after a SIGKILL the old server's memory may still be held for a moment by the last of its children.
    local deadline=$((SECONDS + 15))
    until postgres_run pg_ctl -D "$folder/data" -w -s -l "$folder/log" -o "$options" start >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] && tail -n 3 "$folder/log" | grep -q 'still in use' || { ended postgres; return 1; }
        sleep 0.2
    done
    postgres_database
}

# The folder belongs to whom the server runs as, who must be able to reach it.
postgres_own() {
    am_root || return 0
    chown postgres:postgres "$1" && chmod 700 "$1"
    setpriv --reuid=postgres --regid=postgres --init-groups test -x "$1" || {
        report "user postgres cannot reach $1: a folder above it is closed to others; set CHORUS_SERVICES_DIR to another place"
        return 1
    }
}

# A lock file whose number belongs to another program by now would keep the server from starting.
postgres_clear() {
    local file=$instance/postgres/data/postmaster.pid pid
    pid=$(head -n 1 "$file" 2>/dev/null) || return 0
    if kill -0 "$pid" 2>/dev/null && ! running postgres; then rm -f "$file"; fi
}

# The database of the roles; tests make their own.
postgres_database() {
    local binaries connection
    binaries=$(postgres_binaries)
    connection=(-h 127.0.0.1 -p "$(port_of postgres/port)" -U postgres)
    [ "$("$binaries/psql" "${connection[@]}" -XAtqc "select 1 from pg_database where datname = 'chorus'" postgres)" = 1 ] ||
        "$binaries/createdb" "${connection[@]}" chorus || return 1
}

postgres_stop() {
    # `fast`: clients are cut off, everything is written.
    kill -INT "$1"
}

postgres_pid() {
    head -n 1 "$instance/postgres/data/postmaster.pid" 2>/dev/null
}

postgres_answers() {
    "$(postgres_binaries)/pg_isready" -q -h 127.0.0.1 -p "$(port_of postgres/port)"
}

postgres_address() {
    echo "127.0.0.1:$(port_of postgres/port)"
}

postgres_version() {
    "$(postgres_binaries)/postgres" --version
}

postgres_env() {
    local server
    server=postgres://postgres@$(postgres_address)
    echo "CHORUS_TEST_POSTGRES=$server/postgres"
    echo "CHORUS_DATABASE_URL=$server/chorus"
}
