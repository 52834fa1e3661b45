#!/usr/bin/env bash
# Checks everything: formatting, lints, documentation, and every test on SQLite, PostgreSQL and Redis.
#
#   tests/run.sh                      all steps
#   tests/run.sh --fast               only the tests
#   tests/run.sh --fast -- -p hrms-core leave     what follows -- goes to `cargo test`
#   tests/run.sh --with COMMAND…      no steps: run COMMAND with the servers there, as in --with tests/load.sh
#
# It starts private PostgreSQL and Redis servers in a temporary directory on free loopback ports and
# removes them afterwards. It works as root or as anybody else, in parallel with itself, without a terminal.
#
#   HRMS_TEST_PG_BIN      directory with `initdb` and `postgres` to use (default: the newest one found)
#   HRMS_TEST_PG_URL      use this running PostgreSQL (superuser URL), start none
#   HRMS_TEST_REDIS_URL   use this running Redis, start none
#   HRMS_TEST_INSTALL=0   never install Debian packages, say what is missing instead
#   HRMS_TEST_SEED, PROPTEST_RNG_SEED             seeds of randomised tests, to repeat a failure
set -euo pipefail

usage() { sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

say() { printf '==> %s\n' "$*"; }

die() {
  printf 'tests/run.sh: %s\n' "$*" >&2
  exit 2
}

fast=0
with=()
cargo_args=()
while (($#)); do
  case $1 in
    --fast) fast=1 ;;
    --with)
      shift
      (($#)) || die "--with needs a command"
      with=("$@")
      fast=1
      break
      ;;
    -h | --help) usage && exit 0 ;;
    --)
      shift
      cargo_args=("$@")
      break
      ;;
    *) die "unknown option '$1' (see --help; arguments for cargo test go behind --)" ;;
  esac
  shift
done

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
exec </dev/null

# ---------------------------------------------------------------------------- leaving nothing behind

work=''
servers=() # "signal pid" each

stop_servers() {
  local server signal pid tries
  for server in "${servers[@]}"; do
    read -r signal pid <<<"$server"
    kill -"$signal" "$pid" 2>/dev/null || true
  done
  for server in "${servers[@]}"; do
    read -r signal pid <<<"$server"
    for ((tries = 0; tries < 100; tries++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  servers=()
}

clean_up() {
  local status=$?
  trap - EXIT INT TERM HUP
  stop_servers
  if [[ -n $work ]]; then rm -rf -- "$work"; fi
  exit "$status"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# ---------------------------------------------------------------------------- finding the programs

# A name on PATH proves little: Debian's wrappers exist without a server behind them. So ask for the version.
postgres_in() {
  [[ -x $1/initdb && -x $1/postgres ]] &&
    "$1/initdb" --version >/dev/null 2>&1 &&
    "$1/postgres" --version 2>/dev/null | grep -q '^postgres (PostgreSQL) '
}

find_postgres() {
  local dir found
  if [[ -n ${HRMS_TEST_PG_BIN:-} ]]; then
    postgres_in "$HRMS_TEST_PG_BIN" ||
      die "HRMS_TEST_PG_BIN=$HRMS_TEST_PG_BIN holds no 'initdb' and 'postgres' that run on this machine"
    (cd -- "$HRMS_TEST_PG_BIN" && pwd -P)
    return
  fi
  while IFS= read -r dir; do
    if [[ -n $dir ]] && postgres_in "$dir"; then
      printf '%s\n' "$dir"
      return
    fi
  done < <(
    printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort --reverse
    pg_config --bindir 2>/dev/null || true
    if found=$(command -v postgres); then dirname -- "$(readlink -f -- "$found")"; fi
  )
}

find_redis() {
  local name found
  for name in redis-server valkey-server; do
    if found=$(command -v "$name") && "$found" --version >/dev/null 2>&1; then
      printf '%s\n' "$found"
      return
    fi
  done
}

install_packages() {
  local missing="$*" sudo=()
  local hint="not found: $missing.
Install with:  apt-get install $missing
or name what you have: HRMS_TEST_PG_BIN (a directory with initdb and postgres), HRMS_TEST_PG_URL, HRMS_TEST_REDIS_URL."
  [[ ${HRMS_TEST_INSTALL:-1} != 0 ]] || die "$hint"
  command -v apt-get >/dev/null || die "$hint"
  if ((EUID != 0)); then
    sudo -n true 2>/dev/null || die "$hint"
    sudo=(sudo -n)
  fi
  say "installing the Debian packages: $missing"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a UCF_FORCE_CONFFOLD=1 \
    bash -euo pipefail -s -- "$@" <<'INSTALL' || die "the installation failed. $hint"
# Only the programs are wanted: no default database cluster, no service on a fixed port.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
conf=/etc/postgresql-common/createcluster.conf
if [[ ! -e $conf ]]; then
  mkdir -p "${conf%/*}"
  printf '# Only test servers were wanted here.\ncreate_main_cluster = false\n' >"$conf"
fi
apt=(apt-get -q -y -o DPkg::Lock::Timeout=300)
log=$(mktemp)
{
  "${apt[@]}" update &&
    "${apt[@]}" -o Dpkg::Options::=--force-confold install --no-install-recommends "$@" </dev/null
} >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; exit 1; }
rm -f "$log"
# The packages enable their services for the next boot.
if command -v systemctl >/dev/null; then
  for package in "$@"; do systemctl disable "$package" >/dev/null 2>&1 || true; done
fi
INSTALL
  hash -r
}

# ---------------------------------------------------------------------------- private servers

# PostgreSQL refuses to run as root: then the servers run as this system user.
identity=()
as_server() { setpriv "${identity[@]}" -- "$@"; }

make_work_directory() {
  local base=${TMPDIR:-/tmp} user
  # A socket's path may have 107 bytes.
  ((${#base} <= 60)) || base=/tmp
  work=$(mktemp -d "$base/hrms-test.XXXXXX")
  ((EUID == 0)) || return 0
  for user in postgres nobody; do
    if id "$user" >/dev/null 2>&1; then break; fi
  done
  identity=("--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
  chown "$user" "$work"
  if ! as_server test -x "$work"; then
    rm -rf -- "$work"
    work=$(mktemp -d /tmp/hrms-test.XXXXXX)
    chown "$user" "$work"
  fi
}

# launch NAME SIGNAL COMMAND…: starts a server that SIGNAL ends, with its output in "$work/NAME.log".
# It gets the signal at the script's death too, even by `kill -9`; its own session keeps Ctrl-C for the script.
launch() {
  local log=$work/$1.log signal=$2
  shift 2
  (
    cd -- "$work"
    exec setsid setpriv --pdeathsig "$signal" "${identity[@]}" -- "$@" >"$log" 2>&1
  ) &
  launched=$!
  servers+=("$signal $launched")
}

# A port nobody listens on, below the range of outgoing connections. Who takes it first wins: callers try again.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      return
    fi
  done
}

# Waits up to 30 s until "$@" succeeds; fails at once when the launched server has died.
ready() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    if "$@"; then return 0; fi
    kill -0 "$launched" 2>/dev/null || return 1
    sleep 0.05
  done
  return 1
}

postgres_is_ready() { grep -qs '^ready' <(sed -n 8p "$work/pg/postmaster.pid" 2>/dev/null); }

start_postgres() {
  local bin=$1 attempt port
  as_server "$bin/postgres" --version >/dev/null 2>&1 ||
    die "the system user (${identity[*]}) can't run $bin/postgres: put it where every user may read it"
  (
    cd -- "$work"
    as_server "$bin/initdb" -D "$work/pg" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync
  ) >"$work/initdb.log" 2>&1 || {
    cat "$work/initdb.log" >&2
    die "initdb of $bin failed"
  }
  for attempt in 1 2 3 4 5; do
    port=$(free_port)
    launch postgres QUIT "$bin/postgres" -D "$work/pg" -c listen_addresses=127.0.0.1 -c port="$port" \
      -c unix_socket_directories="$work" -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
      -c max_connections=200
    if ready postgres_is_ready; then
      export HRMS_TEST_PG_URL="postgres://postgres@127.0.0.1:$port/postgres"
      say "PostgreSQL: $("$bin/postgres" --version) from $bin, port $port"
      return
    fi
    kill -KILL "$launched" 2>/dev/null || true
  done
  cat "$work/postgres.log" >&2
  die "PostgreSQL of $bin did not start ($attempt attempts)"
}

redis_is_ready() { grep -qsi 'ready to accept connections' "$work/redis.log"; }

start_redis() {
  local program=$1 attempt port
  for attempt in 1 2 3 4 5; do
    port=$(free_port)
    launch redis TERM "$program" --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$work"
    if ready redis_is_ready; then
      export HRMS_TEST_REDIS_URL="redis://127.0.0.1:$port/"
      say "Redis: $("$program" --version), port $port"
      return
    fi
    kill -KILL "$launched" 2>/dev/null || true
  done
  cat "$work/redis.log" >&2
  die "$program did not start ($attempt attempts)"
}

prepare_servers() {
  local postgres='' redis='' missing=()
  if [[ -z ${HRMS_TEST_PG_URL:-} ]]; then
    postgres=$(find_postgres)
    [[ -n $postgres ]] || missing+=(postgresql)
  fi
  if [[ -z ${HRMS_TEST_REDIS_URL:-} ]]; then
    redis=$(find_redis)
    [[ -n $redis ]] || missing+=(redis-server)
  fi
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
    [[ -n ${HRMS_TEST_PG_URL:-} ]] || postgres=$(find_postgres)
    [[ -n ${HRMS_TEST_REDIS_URL:-} ]] || redis=$(find_redis)
  fi
  if [[ -z ${HRMS_TEST_PG_URL:-} || -z ${HRMS_TEST_REDIS_URL:-} ]]; then make_work_directory; fi
  if [[ -z ${HRMS_TEST_PG_URL:-} ]]; then
    [[ -n $postgres ]] || die "still no PostgreSQL server after the installation"
    start_postgres "$postgres"
  else
    say "PostgreSQL: the one of HRMS_TEST_PG_URL"
  fi
  if [[ -z ${HRMS_TEST_REDIS_URL:-} ]]; then
    [[ -n $redis ]] || die "still no Redis server after the installation"
    start_redis "$redis"
  else
    say "Redis: the one of HRMS_TEST_REDIS_URL"
  fi
}

# ---------------------------------------------------------------------------- the steps

summary=()

note() { summary+=("$(printf '  %-14s %-6s %5d s' "$1" "$2" "$((SECONDS - $3))")"); }

step() {
  local name=$1 start=$SECONDS
  shift
  say "$name"
  if "$@"; then
    note "$name" ok "$start"
  else
    note "$name" FAILED "$start"
    finish 1
  fi
}

finish() {
  printf '\n'
  printf '%s\n' "${summary[@]}"
  if (($1 == 0)); then
    printf 'tests/run.sh: all green after %d s\n' "$SECONDS"
  else
    printf 'tests/run.sh: FAILED after %d s\n' "$SECONDS"
  fi
  exit "$1"
}

check_toolchain() {
  if ! command -v cargo >/dev/null && [[ -f ${CARGO_HOME:-$HOME/.cargo}/env ]]; then
    # shellcheck source=/dev/null
    . "${CARGO_HOME:-$HOME/.cargo}/env"
  fi
  command -v cargo >/dev/null || die "cargo not found: install Rust (https://rustup.rs)"
  command -v cc >/dev/null || die "no C compiler found (SQLite is compiled in): apt-get install gcc libc6-dev"
  if ((!fast)); then
    cargo fmt --version >/dev/null 2>&1 || die "cargo fmt not found: rustup component add rustfmt"
    cargo clippy --version >/dev/null 2>&1 || die "cargo clippy not found: rustup component add clippy"
  fi
  say "Rust: $(cargo --version)"
}

run_tests() {
  local scope=(--workspace) argument
  for argument in "${cargo_args[@]}"; do
    case $argument in
      --) break ;;
      -p | -p* | --package | --package=*) scope=() ;;
    esac
  done
  # The cross-crate suites start the real server, which only --workspace builds along.
  if ((${#scope[@]} == 0)) && [[ ${cargo_args[*]} == *hrms-tests* ]]; then
    cargo build --locked -p hrms-server || return
  fi
  cargo test --locked "${scope[@]}" --all-features "${cargo_args[@]}"
}

check_toolchain
for seed in HRMS_TEST_SEED PROPTEST_RNG_SEED; do
  if [[ -n ${!seed:-} ]]; then say "$seed=${!seed}"; fi
done
prepare_servers
note servers ok 0
if ((${#with[@]})); then
  step command "${with[@]}"
  finish 0
fi
if ((!fast)); then
  step format cargo fmt --all --check
  step lints cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
  step documentation env RUSTDOCFLAGS="${RUSTDOCFLAGS:-} -D warnings" \
    cargo doc --locked --workspace --no-deps --all-features
fi
step tests run_tests
finish 0
