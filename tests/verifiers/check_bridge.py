"""The bridge beside the real thing: the same requests to Mapae and to Django with SimpleJWT (and
with the package before it). The answers must be the same: status, media type, scheme of the
challenge, and JSON, with `<JWT>` for each token."""

import json
import re
import time
from urllib.parse import urlencode

import jwt

from common import (
    AUDIENCE,
    HOUR,
    PASSWORD,
    Mapae,
    Service,
    altered,
    claims_of,
    finish,
    header_of,
    report,
    resigned,
    section,
    stranger,
    unsigned,
    with_claims,
)

KEY = "a key that Mapae and the Django service have in common"
FORM = "application/x-www-form-urlencoded"
MARK = "repeat-me-not"
LOGIN = {"username": "minji", "password": PASSWORD}
SPACED = {"username": "  minji ", "password": PASSWORD}


class Side:
    """One of the two, and the tokens that it gave."""

    def __init__(self, server, login=LOGIN):
        self.server, self.login, self._pair = server, login, None

    def new_pair(self):
        return self.server.post("/api/token/", self.login).expect(200)

    @property
    def pair(self):
        self._pair = self._pair or self.new_pair()
        return self._pair

    @property
    def access(self):
        return self.pair["access"]

    @property
    def refresh(self):
        return self.pair["refresh"]


class Older(Side):
    def new_pair(self):
        return self.server.post("/api-token-auth/", self.login).expect(200)

    @property
    def token(self):
        return self.pair["token"]


def comparable(answer):
    try:
        # The order of an object's members means nothing (RFC 8259 §4).
        body = json.dumps(answer.json, sort_keys=True)
    except ValueError:
        body = repr(answer.text)
    body = re.sub(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*", "<JWT>", body)
    challenge = answer.challenge and answer.challenge.split()[0]
    return answer.status, answer.media_type, challenge, body


def show(seen):
    status, media_type, challenge, body = seen
    return f"{status} {challenge + ' ' if challenge else ''}{body[:120]}"


def ask(side, path, body, method="POST", **how):
    body = body(side) if callable(body) else body
    if body is not None and not isinstance(body, bytes):
        how = {"content_type": "application/json"} | how
    return side.server.send(method, path, body, **how)


class Pair:
    """The real thing and Mapae, asked the same."""

    def __init__(self, name, real, mapae):
        self.name, self.real, self.mapae = name, real, mapae

    def same(self, path, what, body, **how):
        real, mapae = (comparable(ask(side, path, body, **how)) for side in (self.real, self.mapae))
        if real == mapae:
            report(True, f"{self.name}: {path} {what}", show(real))
        else:
            report(
                False,
                f"{self.name}: {path} {what}",
                f"{show(mapae)}, but the real one {show(real)}",
            )

    def status_only(self, path, what, body, why, real=None, mapae=None, **how):
        """Where Mapae means to differ. Without `real` and `mapae` the status is still the same."""
        saw_real, saw_mapae = (ask(side, path, body, **how) for side in (self.real, self.mapae))
        holds = (
            (saw_real.status == real and saw_mapae.status == mapae)
            if real
            else saw_real.status == saw_mapae.status
        ) and MARK not in saw_mapae.text
        report(
            holds,
            f"{self.name}: {path} {what}",
            f"{saw_mapae.status}, and the real one {saw_real.status} (status only: {why})",
        )

    def steps(self, what, flow):
        """A client's whole way, step by step, on both sides."""
        real, mapae = (
            [(step, comparable(answer)) for step, answer in flow(side)]
            for side in (self.real, self.mapae)
        )
        report(len(real) == len(mapae), f"{self.name}: {what}", f"{len(mapae)} steps")
        for (step, expected), (_, saw) in zip(real, mapae, strict=False):
            but = "" if saw == expected else f", but the real one {show(expected)}"
            report(saw == expected, f"{self.name}: {what}: {step}", show(saw) + but)


NO_ECHO = "the real one repeats what was sent"
OWN_FAULT = "the real one fails with 500"


def forms(pair, path, fields, names):
    """What every path is asked: bodies that cannot be right. `names` are of fields it needs, and
    `fields` a body that is good but for them."""
    for name in names:
        for what, value in [
            ("blank", ""),
            ("spaces alone", "   "),
            ("null", None),
            ("true", True),
            ("a list", ["x"]),
            ("an empty list", []),
            ("an object", {"a": 1}),
            ("with a NUL", "a\0b"),
        ]:
            pair.same(path, f"{name} {what}", fields | {name: value})
        rest = {key: value for key, value in fields.items() if key != name}
        pair.same(path, f"{name} missing", rest)
    pair.same(path, "nothing in it", {})
    pair.same(path, "all null", dict.fromkeys(names))
    pair.same(path, "all blank", dict.fromkeys(names, ""))
    pair.same(path, "all of a wrong type", dict.fromkeys(names, []))
    pair.same(path, "an empty body", b"", content_type="application/json")
    pair.same(path, "an empty form", b"", content_type=FORM)
    for what, body in [
        ("a list", b"[]"),
        ("a string", b'"text"'),
        ("a number", b"5"),
        ("true", b"true"),
        ("null", b"null"),
    ]:
        pair.same(path, f"is {what}", body, content_type="application/json")
    for what, body in [
        ("broken JSON", b'{"%s"' % MARK.encode()),
        ("no JSON", MARK.encode()),
        ("JSON with a comma too many", b'{"username":"%s",}' % MARK.encode()),
        ("not UTF-8", b'{"username":"\xff"}'),
    ]:
        pair.status_only(
            path,
            what,
            body,
            "the real one's words are its parser's",
            content_type="application/json",
        )
    pair.status_only(
        path,
        "half of a surrogate pair",
        b'{"username":"\\ud800","password":"x","refresh":"\\ud800","token":"\\ud800"}',
        "the real one takes it for JSON and refuses it as a name",
        content_type="application/json",
    )
    for media_type in ("text/plain", "application/problem+json", MARK):
        pair.status_only(path, f"as {media_type}", fields, NO_ECHO, content_type=media_type)
    for method in ("GET", "PUT", "DELETE"):
        pair.status_only(path, method, None, NO_ECHO, method=method)


def obtaining(pair, path):
    good, wrong = LOGIN, LOGIN | {"password": "another"}
    pair.same(path, "good", good)
    pair.same(path, "another password", wrong)
    pair.same(path, "unknown user", good | {"username": "nobody"})
    pair.same(path, "spaces around the name", SPACED)
    pair.same(path, "a field that nobody knows", good | {"more": 1})
    pair.same(path, "a number for a name", good | {"username": 5})
    pair.same(path, "a fraction for a name", good | {"username": 5.5})
    pair.same(path, "a number for a password", good | {"password": 5})
    pair.same(path, "1,000 characters for a name", good | {"username": "a" * 1000})
    pair.same(path, "5,000 characters for a password", good | {"password": "a" * 5000})
    pair.same(path, "a form, good", urlencode(good).encode(), content_type=FORM)
    pair.same(path, "a form, another password", urlencode(wrong).encode(), content_type=FORM)
    pair.same(path, "with a charset", good, content_type="application/json; charset=utf-8")
    pair.same(path, "APPLICATION/JSON", good, content_type="APPLICATION/JSON")
    pair.same(
        path, "a bad Authorization beside it", good, headers={"Authorization": "Bearer garbage"}
    )
    pair.status_only(
        path,
        "100,000 characters",
        good | {"password": "a" * 100_000},
        "Mapae takes 64 KiB at the most",
        real=400 if "auth" in path else 401,
        mapae=413,
    )
    forms(pair, path, good, ["username", "password"])


def one_token(pair, path, name, good, others):
    """A path that takes one token."""
    pair.same(path, "good", good)
    pair.same(path, "garbage", {name: "garbage"})
    pair.same(path, "three parts of garbage", {name: "a.b.c"})
    pair.same(path, "5,000 characters", {name: "a" * 5000})
    pair.same(path, "a number", {name: 5})
    for what, make in others:
        pair.same(path, what, lambda side, make=make: {name: make(side)})
    forms(pair, path, {name: "x"}, [name])


def bad_tokens(kind, shared):
    """What no path takes, whatever it takes. What the shared key has to sign can only be made where
    there is one."""

    def of(side):
        return getattr(side, kind)

    yield "another signature", lambda side: altered(of(side))
    yield "other claims", lambda side: with_claims(of(side), exp=claims_of(of(side))["exp"] + HOUR)
    yield (
        "a key of nobody's",
        lambda side: resigned(of(side), "a key that neither of them has at all"),
    )
    if shared:
        yield "expired", lambda side: resigned(of(side), KEY, exp=int(time.time()) - 1)


def simplejwt(pair, shared):
    """SimpleJWT's four paths."""
    refresh, verify, blacklist = (
        "/api/token/refresh/",
        "/api/token/verify/",
        "/api/token/blacklist/",
    )
    bad = [*bad_tokens("refresh", shared), ("no signature", lambda side: unsigned(side.refresh))]
    one_token(
        pair,
        refresh,
        "refresh",
        lambda side: {"refresh": side.new_pair()["refresh"]},
        [*bad, ("an access token", lambda side: side.access)],
    )
    one_token(
        pair,
        verify,
        "token",
        lambda side: {"token": side.access},
        [
            *bad,
            *((f"access token, {what}", make) for what, make in bad_tokens("access", shared)),
            ("a refresh token", lambda side: side.refresh),
        ],
    )
    one_token(
        pair,
        blacklist,
        "refresh",
        lambda side: {"refresh": side.new_pair()["refresh"]},
        [*bad, ("an access token", lambda side: side.access)],
    )
    for path, name in ((refresh, "refresh"), (blacklist, "refresh"), (verify, "token")):
        pair.same(
            path,
            "a form",
            lambda side, name=name: urlencode({name: side.new_pair()["refresh"]}).encode(),
            content_type=FORM,
        )
        pair.same(
            path, "spaces around", lambda side, name=name: {name: f" {side.new_pair()['refresh']} "}
        )
    if shared:
        for what, drop in (("no id", "jti"), ("no user", "user_id")):
            pair.status_only(
                refresh,
                f"with {what}",
                lambda side, drop=drop: {"refresh": resigned(side.refresh, KEY, drop=[drop])},
                OWN_FAULT if drop == "jti" else "the real one asks for no user here",
                real=500 if drop == "jti" else 200,
                mapae=401,
            )
        pair.status_only(
            refresh,
            "of an unknown user",
            lambda side: {
                "refresh": resigned(
                    side.refresh, KEY, user_id="00000000-0000-0000-0000-000000000000"
                )
            },
            OWN_FAULT,
            real=500,
            mapae=401,
        )
        pair.status_only(
            refresh,
            "with no type",
            lambda side: {"refresh": resigned(side.refresh, KEY, drop=["token_type"])},
            "the real one says what is missing",
        )
        pair.status_only(
            refresh,
            "with no expiry",
            lambda side: {"refresh": resigned(side.refresh, KEY, drop=["exp"])},
            "the real one says what is missing",
        )


def flow(service, rotates):
    """The client of SimpleJWT's documentation. `service` is a Django that takes the tokens."""

    def walk(side):
        def post(path, **body):
            return side.server.post(f"/api/token/{path}", body)

        def visit(access):
            return service.send("GET", "/known/", headers={"Authorization": f"Bearer {access}"})

        answer = post("", **side.login)
        pair = answer.expect(200)
        yield "obtain", answer
        yield "use", visit(pair["access"])
        yield "verify", post("verify/", token=pair["access"])
        answer = post("refresh/", refresh=pair["refresh"])
        fresh = answer.expect(200)
        yield "refresh", answer
        if fresh["access"] == pair["access"] or fresh.get("refresh") == pair["refresh"]:
            raise RuntimeError("a refresh gave the same token again")
        yield "use what came of it", visit(fresh["access"])
        last = fresh["refresh"] if rotates else pair["refresh"]
        answer = post("refresh/", refresh=last)
        yield "refresh again", answer
        last = answer.expect(200).get("refresh", last)
        yield "verify the refresh token", post("verify/", token=last)
        yield "blacklist", post("blacklist/", refresh=last)
        yield "refresh what is blacklisted", post("refresh/", refresh=last)
        yield "blacklist it again", post("blacklist/", refresh=last)
        yield "verify what is blacklisted", post("verify/", token=last)
        yield "obtain anew", post("", **side.login)

    return walk


def claims(name, real, mapae, issuer):
    """The real one's claims are all there, and of its types. More may be."""
    for kind in ("access", "refresh"):
        expected, saw = claims_of(real[kind]), claims_of(mapae[kind])
        same = all(type(saw.get(claim)) is type(value) for claim, value in expected.items())
        same = same and all(saw[claim] == expected[claim] for claim in ("token_type", "user_id"))
        report(
            same,
            f"{name}: claims of the {kind} token",
            ", ".join(f"{claim} {type(value).__name__}" for claim, value in saw.items()),
        )
        report(saw.get("iss") == issuer, f"{name}: issuer of the {kind} token", saw.get("iss"))
    # By a shared key as SimpleJWT's own: the older package refuses a token that names any.
    audience = claims_of(mapae["access"]).get("aud")
    expected = None if name == "shared key" else AUDIENCE
    report(audience == expected, f"{name}: audience of the access token", audience)
    report(
        claims_of(mapae["access"])["jti"] != claims_of(mapae["refresh"])["jti"], f"{name}: two ids"
    )


def own_operations(name, mapae, pair):
    """What Mapae's own operations make of the bridge's tokens."""
    for scheme, token, status in [
        ("Bearer", pair["access"], 200),
        ("JWT", pair["access"], 200),
        ("Bearer", pair["refresh"], 401),
        ("JWT", pair["refresh"], 401),
        ("Bearer", altered(pair["access"]), 401),
        ("JWT", "garbage", 401),
    ]:
        saw = mapae.send("GET", "/v1/me", headers={"Authorization": f"{scheme} {token}"})
        kind = claims_of(token)["token_type"] if token != "garbage" else token
        kind = "altered " + kind if token == altered(pair["access"]) else kind
        report(
            saw.status == status, f"{name}: GET /v1/me with {scheme} and {kind}", str(saw.status)
        )


def person(mapae):
    user = claims_of(mapae.sign_up()["access_token"])["sub"]
    return {"id": user, "username": "minji", "email": "minji@example.com", "password": PASSWORD}


# So that the real one, too, looks at its blacklist when it verifies.
CAREFUL = {"BLACKLIST_AFTER_ROTATION": True}
ROTATING = CAREFUL | {"ROTATE_REFRESH_TOKENS": True}
ON = {"SIMPLEJWT__ENABLED": "true"}
SHARED = ON | {"SIMPLEJWT__SIGNING_KEY": KEY}
# Of Mapae's own keys; Django would need its own, and what is compared does not depend on them.
shared, own = Mapae(**SHARED), Mapae(**ON)
rotating = Mapae(**SHARED, SIMPLEJWT__ROTATE_REFRESH_TOKENS="true", TOKENS__REUSE_WINDOW="0s")
by_email = Mapae(**SHARED, SIMPLEJWT__USERNAME_FIELD="email")
off = Mapae()

with section("off"):
    for path in (
        "/api/token/",
        "/api/token/refresh/",
        "/api/token/verify/",
        "/api/token/blacklist/",
        "/api-token-auth/",
        "/api-token-refresh/",
        "/api-token-verify/",
    ):
        saw = off.post(path, LOGIN)
        report(saw.status == 404, f"off: {path}", str(saw.status))
    token = off.sign_up()["access_token"]
    for scheme, status in (("Bearer", 200), ("JWT", 401)):
        saw = off.send("GET", "/v1/me", headers={"Authorization": f"{scheme} {token}"})
        report(saw.status == status, f"off: GET /v1/me with {scheme}", str(saw.status))
off.stop()

with section("shared key"):
    someone = person(shared)
    real = Service("django", secret_key=KEY, people=[someone], simple_jwt=CAREFUL)
    pair = Pair("shared key", Side(real), Side(shared))
    header = header_of(pair.mapae.access)
    report(header == header_of(pair.real.access), "shared key: header", str(header))
    claims("shared key", pair.real.pair, pair.mapae.pair, shared.issuer)
    obtaining(pair, "/api/token/")
    simplejwt(pair, shared=True)
    pair.steps("a client's way", flow(real, rotates=False))
    own_operations("shared key", shared, pair.mapae.pair)
    for what in ("minji@example.com", "MINJI@EXAMPLE.COM"):
        saw = shared.post("/api/token/", LOGIN | {"username": what})
        report(saw.status == 200, "shared key: the username may be an address", str(saw.status))
    real.stop()

with section("own keys"):
    someone = person(own)
    real = Service("django", secret_key=KEY, people=[someone], simple_jwt=CAREFUL)
    jwks = own.send("GET", "/.well-known/jwks.json").expect(200)
    takes = Service(
        "django by published keys",
        people=[someone],
        simple_jwt={
            "ALGORITHM": "ES256",
            "JWK_URL": own.jwks_url,
            "ISSUER": own.issuer,
            "AUDIENCE": AUDIENCE,
        },
    )
    pair = Pair("own keys", Side(real), Side(own))
    header = header_of(pair.mapae.access)
    report(
        header["typ"] == "JWT"
        and header["alg"] == "ES256"
        and header["kid"] in {k["kid"] for k in jwks["keys"]},
        "own keys: header",
        str(header),
    )
    claims("own keys", pair.real.pair, pair.mapae.pair, own.issuer)
    simplejwt(pair, shared=False)
    pair.steps(
        "a client's way",
        lambda side: flow(real if side is pair.real else takes, rotates=False)(side),
    )
    own_operations("own keys", own, pair.mapae.pair)
    forged = resigned(pair.mapae.refresh, stranger("ES256"), "ES256")
    saw = own.post("/api/token/refresh/", {"refresh": forged})
    report(
        saw.status == 401,
        "own keys: refuses a stranger's key under our key id",
        f"{saw.status} {saw.text}",
    )
    # Verifiers that look at issuer and audience alone, and not at the kind of a token, are many.
    try:
        jwt.decode(
            pair.mapae.refresh,
            jwt.PyJWKClient(own.jwks_url).get_signing_key_from_jwt(pair.mapae.refresh),
            algorithms=["ES256"],
            issuer=own.issuer,
            audience=AUDIENCE,
        )
        report(
            False,
            "own keys: a refresh token is for nobody but Mapae",
            "PyJWT takes it by issuer and audience",
        )
    except jwt.PyJWTError as error:
        report(
            isinstance(error, (jwt.InvalidAudienceError, jwt.MissingRequiredClaimError)),
            "own keys: a refresh token is for nobody but Mapae",
            f"{type(error).__name__}: {error}",
        )
    real.stop()
    takes.stop()

with section("rotating"):
    someone = person(rotating)
    real = Service("django", secret_key=KEY, people=[someone], simple_jwt=ROTATING)
    pair = Pair("rotating", Side(real), Side(rotating))
    pair.steps("a client's way", flow(real, rotates=True))

    def replaced(side):
        old = side.new_pair()["refresh"]
        side.server.post("/api/token/refresh/", {"refresh": old}).expect(200)
        return {"refresh": old}

    pair.same("/api/token/refresh/", "what was replaced", replaced)
    pair.same("/api/token/blacklist/", "what was replaced", replaced)
    real.stop()
rotating.stop()

with section("by e-mail"):
    someone = person(by_email)
    real = Service(
        "django", secret_key=KEY, people=[someone], simple_jwt=CAREFUL, username_field="email"
    )
    login = {"email": "minji@example.com", "password": PASSWORD}
    pair = Pair("by e-mail", Side(real, login), Side(by_email, login))
    for what, body in [
        ("good", login),
        ("another password", login | {"password": "another"}),
        ("by the other name", LOGIN),
        ("nothing in it", {}),
        ("blank", dict.fromkeys(login, "")),
        ("null", dict.fromkeys(login)),
        ("lists", dict.fromkeys(login, [])),
    ]:
        pair.same("/api/token/", what, body)
    real.stop()
by_email.stop()

with section("older package"):
    someone = {
        "id": claims_of(shared.post("/api/token/", LOGIN).expect(200)["access"])["user_id"],
        "username": "minji",
        "email": "minji@example.com",
        "password": PASSWORD,
    }
    real = Service("django", secret_key=KEY, people=[someone], package="older")
    pair = Pair("older package", Older(real), Older(shared))
    obtaining(pair, "/api-token-auth/")
    for path in ("/api-token-refresh/", "/api-token-verify/"):
        one_token(
            pair,
            path,
            "token",
            lambda side: {"token": side.token},
            bad_tokens("token", shared=True),
        )
        pair.same(
            path,
            "a form",
            lambda side: urlencode({"token": side.token}).encode(),
            content_type=FORM,
        )
        for what, make in (
            ("no signature", lambda side: unsigned(side.token)),
            ("another algorithm", lambda side: resigned(side.token, KEY, "HS384")),
        ):
            pair.status_only(
                path,
                what,
                lambda side, make=make: {"token": make(side)},
                OWN_FAULT,
                real=500,
                mapae=400,
            )

    def older_flow(side):
        answer = side.server.post("/api-token-auth/", side.login)
        token = answer.expect(200)["token"]
        yield "obtain", answer
        for again in ("refresh", "refresh again"):
            answer = side.server.post("/api-token-refresh/", {"token": token})
            token = answer.expect(200)["token"]
            yield again, answer
        answer = side.server.post("/api-token-verify/", {"token": token})
        if answer.expect(200)["token"] != token:
            raise RuntimeError("the answer holds another token than the one that was sent")
        yield "verify", answer

    pair.steps("a client's way", older_flow)
    saw = shared.send("GET", "/v1/me", headers={"Authorization": f"JWT {pair.mapae.token}"})
    report(saw.status == 200, "older package: GET /v1/me with JWT", str(saw.status))
    real.stop()
finish()
