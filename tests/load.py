"""Runs wrk and pgbench against a prepared server and prints requests per second and ratios."""

import json
import re
import subprocess
import sys
import urllib.request

WORK, BASE, DATABASE, SECONDS, CONNECTIONS, PID = sys.argv[1:7]
THREADS = "2"


def call(method, path, body=None, token=None):
    request = urllib.request.Request(BASE + path, method=method)
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, data) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")


def login(email, password):
    body = {"organization": "load", "email": email, "password": password}
    return call("POST", "/api/v1/auth/login", body)["access_token"]


def run_wrk(name, script, expected):
    file = f"{WORK}/{name}.lua"
    check = (
        "local bad = 0\n"
        f"response = function(status) if status ~= {expected} then bad = bad + 1; if bad < 3 then print('status ' .. status) end end end\n"
    )
    with open(file, "w") as out:
        out.write(script + check)
    command = ["wrk", "-t", THREADS, "-c", CONNECTIONS, "-d", f"{SECONDS}s", "--latency", "-s", file, BASE]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in sorted(set(re.findall(r"^status.*$", text, re.M))):
        print(f"  {name}: {line}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    p50 = re.search(r"50%\s+(\S+)", text)[1]
    p99 = re.search(r"99%\s+(\S+)", text)[1]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    note = f"  FAILED ANSWERS: {failed[1]}" if failed else ""
    print(f"{name:<22} {rate:>10.1f} /s   p50 {p50:>9}  p99 {p99:>9}{note}", flush=True)
    return rate


def run_pgbench(name, script):
    file = f"{WORK}/{name}.sql"
    with open(file, "w") as out:
        out.write(script)
    command = ["pgbench", "-n", "-M", "prepared", "-f", file, "-c", CONNECTIONS, "-j", THREADS, "-T", SECONDS, DATABASE]
    text = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"tps = ([\d.]+) \(without", text.stdout)
    if not rate:
        sys.exit(f"pgbench: {text.stdout} {text.stderr}")
    print(f"{name:<22} {float(rate[1]):>10.1f} /s", flush=True)
    return float(rate[1])


def resident():
    with open(f"/proc/{PID}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1024


organization = json.load(open(f"{WORK}/org.json"))
admin = login(organization["admin"]["email"], organization["admin"]["password"])
password = "a long phrase for measuring"
call("POST", "/api/v1/users", {"email": "hr@load.example", "name": "HR", "roles": ["hr"], "password": password}, admin)
hr = login("hr@load.example", password)
people, cursor = [], ""
while cursor is not None:
    page = call("GET", f"/api/v1/employees?limit=200{cursor}", token=hr)
    people += [employee["id"] for employee in page["items"]]
    cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
print(f"employees: {len(people)}")
kind = call("POST", "/api/v1/leave-types", {"code": "LWP", "name": "Unpaid", "allow_negative_minutes": 1440000}, hr)

auth = f'wrk.headers["Authorization"] = "Bearer {hr}"\n'
ids = "local ids = {" + ",".join(f'"{one}"' for one in people) + "}\n"
tenant = organization["id"]
columns = "e.id, e.number, e.given_name, e.family_name, e.email, e.birth_date, e.gender, e.hired_on, e.created_at, e.updated_at, e.version"
baseline = run_pgbench(
    "pgbench, same read",
    f"\\set n random(1, 1001)\nBEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{tenant}';\n"
    f"SELECT {columns}, r.*, d.name, g.name, l.name, m.given_name FROM employee e "
    "LEFT JOIN employment_record r ON r.tenant_id = e.tenant_id AND r.employee_id = e.id AND r.valid_from <= current_date AND (r.valid_to IS NULL OR r.valid_to > current_date) "
    "LEFT JOIN department d ON d.tenant_id = r.tenant_id AND d.id = r.department_id "
    "LEFT JOIN designation g ON g.tenant_id = r.tenant_id AND g.id = r.designation_id "
    "LEFT JOIN location l ON l.tenant_id = r.tenant_id AND l.id = r.location_id "
    "LEFT JOIN employee m ON m.tenant_id = r.tenant_id AND m.id = r.manager_id "
    f"WHERE e.tenant_id = '{tenant}' AND e.number = 'N' || lpad((:n - 1)::text, 5, '0');\nCOMMIT;\n",
)
one = run_wrk(
    "one employee",
    auth + ids + 'request = function() return wrk.format("GET", "/api/v1/employees/" .. ids[math.random(#ids)]) end\n',
    200,
)
page = run_wrk("list of 20", auth + 'request = function() return wrk.format("GET", "/api/v1/employees?limit=20") end\n', 200)
body = json.dumps({"organization": "load", "email": "hr@load.example", "password": password})
logins = run_wrk(
    "log-in",
    'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n' + f"wrk.body = [[{body}]]\n",
    200,
)
leave = run_wrk(
    "leave request",
    auth + ids + 'wrk.headers["Content-Type"] = "application/json"\n'
    # Each thread asks for other employees, and for each of them day after day: no request overlaps another.
    "local counter = 0\nsetup = function(thread) thread:set('number', counter); counter = counter + 1 end\n"
    f"local n = 0\nrequest = function()\n  local who = (n % math.floor(#ids / {THREADS})) * {THREADS} + number + 1\n"
    f"  local day = os.date('!%Y-%m-%d', 1800000000 - 1800000000 % 604800 + 4 * 86400 + math.floor(n / math.floor(#ids / {THREADS})) * 604800)\n"
    "  n = n + 1\n"
    f'  return wrk.format("POST", "/api/v1/leave-requests", nil, string.format([[{{"employee_id":"%s","leave_type_id":"{kind["id"]}","starts_on":"%s","ends_on":"%s"}}]], ids[who], day, day))\nend\n',
    201,
)
print(f"one employee / pgbench: {one / baseline:.2f}")
for name, rate, before in [("one employee", one, 66), ("list of 20", page, 41), ("log-in", logins, 7.8), ("leave request", leave, 22)]:
    print(f"{name}: {rate / before:.0f} times the replaced system's {before}/s")
print(f"resident memory after the run: {resident():.0f} MB")
