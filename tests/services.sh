#!/usr/bin/env bash
# Runs a command beside PostgreSQL, MariaDB and Redis, named to it by MAPAE_TEST_POSTGRES_URL,
# MAPAE_TEST_MARIADB_URL and MAPAE_TEST_REDIS_URL, and beside a pooler of its own before PostgreSQL,
# MAPAE_TEST_PGBOUNCER_URL. A server that a variable names already, or that
# listens on its usual port of this machine's loopback and lets us in, is taken; else a private one is
# started, and ended with the command. What is not there is installed, where this is a Debian and we
# may.
# Usage: tests/services.sh COMMAND [ARGS...]
set -euo pipefail

fail() {
    echo "services: $1" >&2
    exit 1
}

[ $# -gt 0 ] || fail 'usage: services.sh COMMAND [ARGS...]'

folder=
stop() {
    kill -KILL $(jobs -pr) || true
    wait || true
    [ -z "$folder" ] || rm -rf "$folder"
} 2>/dev/null
trap stop EXIT
trap 'trap "" HUP INT TERM; exit 130' HUP INT TERM

install_debian() { # package
    echo "services: installing $1" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null ||
        fail "$1 could not be installed"
}

make_folder() {
    [ -n "$folder" ] || folder=$(mktemp -d)
    chmod 755 "$folder"
}

# What a command begins with that must not run as root: nothing, where nobody here is.
as_postgres=()
as_mysql=()
if [ "$(id -u)" = 0 ]; then
    as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups)
    as_mysql=(setpriv --reuid=mysql --regid=mysql --init-groups)
fi

free_port() {
    # Below the range of outgoing connections, so that none takes it before its server does.
    python3 - <<'PYTHON'
import random, socket
for port in random.sample(range(20_000, 32_768), 100):
    with socket.socket() as tried:
        if tried.connect_ex(("127.0.0.1", port)) != 0:
            print(port)
            break
PYTHON
}

await() { # what, command...
    local what=$1
    shift
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "$what does not answer"
}

start_postgres() {
    local url=postgres://postgres@127.0.0.1:5432/postgres
    if command -v psql >/dev/null && psql "$url" -c 'SELECT 1' >/dev/null 2>&1; then
        export MAPAE_TEST_POSTGRES_URL=$url
        return
    fi
    local programs
    programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
    if [ -z "$programs" ]; then
        install_debian postgresql
        programs=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
    fi
    make_folder
    local port data=$folder/postgres
    port=$(free_port)
    mkdir "$data"
    [ "$(id -u)" != 0 ] || chown postgres "$data"
    "${as_postgres[@]}" "$programs/initdb" --pgdata "$data/data" --username postgres --auth trust >/dev/null
    "${as_postgres[@]}" "$programs/postgres" -D "$data/data" -k "$data" -h 127.0.0.1 -p "$port" \
        -c max_connections=300 >"$folder/postgres.log" 2>&1 &
    url=postgres://postgres@127.0.0.1:$port/postgres
    await PostgreSQL psql "$url" -c 'SELECT 1'
    export MAPAE_TEST_POSTGRES_URL=$url
}

start_mariadb() {
    if command -v mariadb >/dev/null &&
        mariadb -h 127.0.0.1 -u root -e 'CREATE DATABASE IF NOT EXISTS test' >/dev/null 2>&1; then
        export MAPAE_TEST_MARIADB_URL=mysql://root@127.0.0.1:3306/test
        return
    fi
    command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || install_debian mariadb-server
    make_folder
    local port data=$folder/mariadb
    port=$(free_port)
    mkdir "$data"
    [ "$(id -u)" != 0 ] || chown mysql "$data"
    "${as_mysql[@]}" mariadb-install-db --no-defaults --datadir="$data/data" \
        --auth-root-authentication-method=normal >/dev/null
    "${as_mysql[@]}" /usr/sbin/mariadbd --no-defaults --datadir="$data/data" --socket="$data/socket" \
        --bind-address=127.0.0.1 --port="$port" --max-connections=300 \
        >"$folder/mariadb.log" 2>&1 &
    await MariaDB mariadb --no-defaults -h 127.0.0.1 -P "$port" -u root \
        -e 'CREATE DATABASE IF NOT EXISTS test'
    export MAPAE_TEST_MARIADB_URL=mysql://root@127.0.0.1:$port/test
}

start_redis() {
    # Tests kill some of their own as well, and so the program is needed in any case.
    command -v redis-server >/dev/null || install_debian redis-server
    if [ "$(redis-cli -h 127.0.0.1 -p 6379 ping 2>/dev/null)" = PONG ]; then
        export MAPAE_TEST_REDIS_URL=redis://127.0.0.1:6379
        return
    fi
    make_folder
    local port
    port=$(free_port)
    redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" >"$folder/redis.log" 2>&1 &
    await Redis redis-cli -h 127.0.0.1 -p "$port" ping
    export MAPAE_TEST_REDIS_URL=redis://127.0.0.1:$port
}

# A pooler before PostgreSQL that hands out connections by the transaction, three to a database.
start_pgbouncer() {
    command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || install_debian pgbouncer
    make_folder
    local port server
    port=$(free_port)
    server=${MAPAE_TEST_POSTGRES_URL#*@}
    server=${server%%/*}
    cat >"$folder/pgbouncer.ini" <<INI
[databases]
* = host=${server%%:*} port=${server##*:} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 1000
server_idle_timeout = 2
ignore_startup_parameters = extra_float_digits
INI
    chmod 644 "$folder/pgbouncer.ini"
    "${as_postgres[@]}" /usr/sbin/pgbouncer --quiet "$folder/pgbouncer.ini" >"$folder/pgbouncer.log" 2>&1 &
    await PgBouncer psql "postgres://postgres@127.0.0.1:$port/postgres" -c 'SELECT 1'
    export MAPAE_TEST_PGBOUNCER_URL=postgres://postgres@127.0.0.1:$port/postgres
}

[ -n "${MAPAE_TEST_POSTGRES_URL:-}" ] || start_postgres
[ -n "${MAPAE_TEST_PGBOUNCER_URL:-}" ] || start_pgbouncer
[ -n "${MAPAE_TEST_MARIADB_URL:-}" ] || start_mariadb
[ -n "${MAPAE_TEST_REDIS_URL:-}" ] || start_redis
"$@"
