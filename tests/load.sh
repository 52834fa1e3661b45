#!/usr/bin/env bash
# Measures the release server on PostgreSQL with 1,001 employees in the tenant, and in the same run pgbench
# with the same transaction, so that the ratio means something on a noisy machine.
#
#   tests/run.sh --with tests/load.sh            needs wrk and python3 (Debian packages)
#   HRMS_TEST_LOAD_SECONDS=10 HRMS_TEST_LOAD_CONNECTIONS=16
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
: "${HRMS_TEST_PG_URL:?run it as: tests/run.sh --with tests/load.sh}"
seconds=${HRMS_TEST_LOAD_SECONDS:-10}
connections=${HRMS_TEST_LOAD_CONNECTIONS:-16}
for program in wrk python3 pgbench psql; do
  command -v "$program" >/dev/null || { echo "load.sh: $program is missing" >&2; exit 2; }
done
[[ -n ${HRMS_TEST_LOAD_SERVER:-} ]] || cargo build --locked --release -p hrms-server
server=${HRMS_TEST_LOAD_SERVER:-$PWD/target/release/hrms-server}
work=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

base=${HRMS_TEST_PG_URL%/*}
host=${base##*@}
name=hrms_load_$RANDOM$RANDOM
psql -q "$HRMS_TEST_PG_URL" -c "CREATE DATABASE $name"
export HRMS_DATABASE_URL=postgres://hrms_load:load-password@$host/$name
export HRMS_MIGRATION_DATABASE_URL=$base/$name
export HRMS_DATA_DIR=$work/data HRMS_BIND=127.0.0.1:$((20000 + RANDOM % 12000)) HRMS_LOG_LEVEL=warn
"$server" migrate
"$server" organization create --slug load --name "Load Ltd" --admin-email admin@load.example --json >"$work/org.json"

python3 - "$work" <<'PY'
import csv, sys
work = sys.argv[1]
def write(name, head, rows):
    with open(f"{work}/{name}.csv", "w", newline="") as out:
        csv.writer(out).writerows([head, *rows])
write("locations", ["code", "name", "time_zone"], [["PUN", "Pune", "Asia/Kolkata"]])
write("departments", ["code", "name"], [[f"D{n}", f"Department {n}"] for n in range(10)])
write("employees", ["number", "given_name", "family_name", "email", "hired_on", "department", "location"],
      [[f"N{n:05}", f"Given{n}", f"Family{n % 97}", f"n{n}@load.example", "2020-01-01", f"D{n % 10}", "PUN"] for n in range(1001)])
PY
for kind in locations departments employees; do
  "$server" import --organization load --kind "$kind" "$work/$kind.csv"
done
# What autovacuum does within a minute: without statistics the planner reads lists badly.
psql -q "$HRMS_MIGRATION_DATABASE_URL" -c ANALYZE
start=$(date +%s%N)
"$server" serve >"$work/server.log" 2>&1 &
pid=$!
until curl -fs "http://$HRMS_BIND/health/ready" >/dev/null; do
  kill -0 "$pid" || { cat "$work/server.log"; exit 1; }
done
echo "start-up: $((($(date +%s%N) - start) / 1000000)) ms until ready"
python3 tests/load.py "$work" "http://$HRMS_BIND" "$HRMS_DATABASE_URL" "$seconds" "$connections" "$pid"
