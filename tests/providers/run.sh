#!/usr/bin/env bash
# Runs a command beside local servers that stand for SES and SMTP providers, named to it by
# MAPAE_TEST_* variables. Needs Node.js, npm, Python and curl.
# Usage: tests/providers/run.sh COMMAND [ARGS...]
set -euo pipefail

fail() {
    echo "providers: $1" >&2
    exit 1
}

[ $# -gt 0 ] || fail 'usage: run.sh COMMAND [ARGS...]'
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${MAPAE_PROVIDERS_HOME:-target/providers}
# A relative folder is one of the repository, wherever the caller stands.
[[ $home = /* ]] || home=$here/../../$home
mkdir -p "$home" || fail "cannot create $home"
home=$(cd "$home" && pwd)
for tool in node npm python3 curl flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing"
done

folder=
stop() {
    # None of the servers holds anything worth an orderly end.
    kill -KILL $(jobs -pr) || true
    wait || true
    rm -rf "$folder"
} 2>/dev/null
trap stop EXIT
# Many a sender signals twice, and the second must not cut the end short.
trap 'trap "" HUP INT TERM; exit 129' HUP
trap 'trap "" HUP INT TERM; exit 130' INT
trap 'trap "" HUP INT TERM; exit 143' TERM
folder=$(mktemp -d)

install() {
    # Two runs at once would write into the same folders.
    flock 9
    local stamp
    stamp=$(
        node --version
        python3 --version
        cat "$here/package.json" "$here/package-lock.json" "$here/requirements.txt"
    )
    # Written last, so it is there only when all before it was.
    [ "$stamp" != "$(cat "$home/complete" 2>/dev/null)" ] || return 0
    echo "providers: installing into $home" >&2
    rm -rf "$home/complete" "$home/node" "$home/python"
    mkdir "$home/node"
    cp "$here/package.json" "$here/package-lock.json" "$home/node/"
    (cd "$home/node" && npm ci --no-audit --no-fund --ignore-scripts) >"$folder/install.log" 2>&1 &&
        python3 -m venv "$home/python" >>"$folder/install.log" 2>&1 &&
        "$home/python/bin/python" -m pip install --quiet --requirement "$here/requirements.txt" \
            >>"$folder/install.log" 2>&1 || {
        cat "$folder/install.log" >&2
        fail 'the servers could not be installed'
    }
    echo "$stamp" >"$home/complete"
}
# A subshell, or the servers would inherit the lock and keep it.
(install) 9>"$home/lock"

# Below the range of outgoing connections, so that none takes a port before its server does.
mapfile -t ports < <(python3 - <<'PYTHON'
import random, socket

held = []
while len(held) < 7:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", random.randrange(20000, 32768)))
        held.append(listener)
    except OSError:
        listener.close()
for listener in held:
    print(listener.getsockname()[1])
PYTHON
)
[ "${#ports[@]}" = 7 ] || fail 'no free ports'
ses=${ports[0]} moto=${ports[1]} maildev_smtp=${ports[2]} maildev_web=${ports[3]}
starttls=${ports[4]} implicit=${ports[5]} read=${ports[6]}

declare -A pids

# start NAME COMMAND...: in the background, its output in a log of that name
start() {
    local name=$1
    shift
    "$@" >"$folder/$name.log" 2>&1 </dev/null &
    pids[$name]=$!
}

give_up() {
    cat "$folder/$1.log" >&2
    fail "$1 $2"
}

# await NAME CHECK...: until CHECK succeeds
await() {
    local name=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        kill -0 "${pids[$name]}" 2>/dev/null || give_up "$name" 'ended at its start'
        [ "$SECONDS" -lt "$end" ] || give_up "$name" 'does not answer after 60 seconds'
        sleep 0.1
    done
    # Otherwise another process on that port may have answered.
    kill -0 "${pids[$name]}" 2>/dev/null || give_up "$name" 'ended at its start'
}

request() {
    curl --silent --fail --noproxy '*' --max-time 10 "$@"
}

answers() {
    request --output /dev/null "$1"
}

greets() {
    local line
    { exec 8<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    read -r -t 5 line <&8 || line=
    exec 8>&-
    [[ $line = 220* ]]
}

# GetAccount refuses an account with any member missing.
account='{
    "DedicatedIpAutoWarmupEnabled": false,
    "Details": {
        "AdditionalContactEmailAddresses": [],
        "ContactLanguage": "EN",
        "MailType": "TRANSACTIONAL",
        "ReviewDetails": {"CaseId": "1", "Status": "GRANTED"},
        "UseCaseDescription": "Verification codes",
        "WebsiteURL": "https://example.com"
    },
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": true,
    "SendingEnabled": true,
    "SendQuota": {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 0},
    "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
}'
# Unset, for with it messages would leave this machine.
start aws-ses-v2-local env -u SMTP_TRANSPORT AWS_SES_ACCOUNT="$account" \
    node "$home/node/node_modules/aws-ses-v2-local/dist/cli.js" --host 127.0.0.1 --port "$ses"
start moto "$home/python/bin/python" -m moto.server -H 127.0.0.1 -p "$moto"
start maildev node "$home/node/node_modules/maildev/bin/maildev" --ip 127.0.0.1 \
    --smtp "$maildev_smtp" --web "$maildev_web" --mail-directory "$folder/maildev"
start smtp_server "$home/python/bin/python" "$here/smtp_server.py" "$folder" "$starttls" "$implicit" "$read"

await aws-ses-v2-local answers "http://127.0.0.1:$ses/health-check"
await moto answers "http://127.0.0.1:$moto/moto-api/data.json"
await maildev answers "http://127.0.0.1:$maildev_web/email"
await maildev greets "$maildev_smtp"
await smtp_server answers "http://127.0.0.1:$read/messages"

request --header 'Authorization: AWS4-HMAC-SHA256 x' "http://127.0.0.1:$ses/v2/email/account" >/dev/null ||
    give_up aws-ses-v2-local 'refuses its account'

# moto tells services and regions apart by the signature's scope, and does not check the rest.
to_moto() {
    request --output /dev/null --header 'Content-Type: application/json' --header \
        "Authorization: AWS4-HMAC-SHA256 Credential=test/$(date -u +%Y%m%d)/ap-northeast-2/ses/aws4_request, SignedHeaders=host, Signature=0" \
        --data "$2" "http://127.0.0.1:$moto/v2/email/$1"
}
to_moto identities '{"EmailIdentity": "no-reply@example.com"}' ||
    give_up moto 'did not create the sender identity'
to_moto outbound-emails '{
    "FromEmailAddress": "no-reply@example.com",
    "Destination": {"ToAddresses": ["start-check@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "start"}, "Body": {"Text": {"Data": "start"}}}}
}' || give_up moto 'did not take a message'
request "http://127.0.0.1:$moto/moto-api/data.json" >"$folder/moto.json" &&
    grep -q start-check@example.com "$folder/moto.json" || give_up moto 'did not keep a message'

export MAPAE_TEST_SES_LOCAL_URL=http://127.0.0.1:$ses
export MAPAE_TEST_MOTO_URL=http://127.0.0.1:$moto
export MAPAE_TEST_MAILDEV_SMTP=127.0.0.1:$maildev_smtp
export MAPAE_TEST_MAILDEV_URL=http://127.0.0.1:$maildev_web
export MAPAE_TEST_SMTP_STARTTLS=localhost:$starttls
export MAPAE_TEST_SMTP_IMPLICIT=localhost:$implicit
export MAPAE_TEST_SMTP_READ_URL=http://127.0.0.1:$read
export MAPAE_TEST_SMTP_CA=$folder/ca.pem

status=0
"$@" || status=$?
exit "$status"
