"""Django with SimpleJWT, told of Mapae in its settings alone."""

import time

import jwt

from common import (
    ALGORITHMS,
    AUDIENCE,
    HOUR,
    PASSWORD,
    Mapae,
    Service,
    altered,
    claims_of,
    finish,
    report,
    resigned,
    section,
    signed_with_public_key,
    stranger,
    unsigned,
    with_claims,
)

INVALID, EXPIRED = "Token is invalid", "Token is expired"
WRONG_TYPE, NO_TYPE = "Token has wrong type", "Token has no type"
SHARED_KEY = "a key that Mapae and the Django service have in common"
TYPES = {"AUTH_HEADER_TYPES": ["Bearer", "JWT"]}


def show(service, token, path="/stateless/", scheme="Bearer", ahead=None):
    headers = {"Authorization": f"{scheme} {token}"}
    if ahead:
        headers["X-Clock-Ahead"] = str(ahead)
    return service.send("GET", path, headers=headers)


def accepts(what, service, token, user, **how):
    answer = show(service, token, **how)
    report(
        answer.status == 200 and answer.json == {"user": user},
        f"{service.name}: accepts {what}",
        f"{answer.status} {answer.text}",
    )


def refuses(what, service, token, message=None, **how):
    """`message` is SimpleJWT's own reason, for a token may also be refused for another."""
    answer = show(service, token, **how)
    reason = answer.text
    if answer.status == 401 and "messages" in answer.json:
        reason = answer.json["messages"][0]["message"]
    report(
        answer.status == 401 and message in (None, reason),
        f"{service.name}: refuses {what}",
        f"{answer.status} {reason}",
    )


def refuses_what_is_not_ours(service, token, foreign, algorithm, jwks):
    """What each service by published keys is shown. `token` is one that it accepts."""
    refuses("another signature", service, altered(token), INVALID)
    refuses(
        "other claims", service, with_claims(token, exp=claims_of(token)["exp"] + HOUR), INVALID
    )
    refuses("another Mapae's key", service, foreign, INVALID)
    refuses(
        "a stranger's key under our key id",
        service,
        resigned(token, stranger(algorithm), algorithm),
        INVALID,
    )
    refuses("no signature", service, unsigned(token), INVALID)
    refuses("HS256 by the public key", service, signed_with_public_key(token, jwks), INVALID)
    refuses("it an hour later", service, token, EXPIRED, ahead=HOUR)
    refuses("what is no token", service, "garbage", INVALID)


def by_published_keys(name, mapae, algorithm, **settings):
    settings = {
        "ALGORITHM": algorithm,
        "JWK_URL": mapae.jwks_url,
        "ISSUER": mapae.issuer,
        "AUDIENCE": AUDIENCE,
        **TYPES,
    } | settings
    return Service(f"{algorithm}, {name}", simple_jwt=settings)


OWN = {"USER_ID_CLAIM": "sub", "TOKEN_TYPE_CLAIM": None}


def own_tokens(algorithm, mapae, another):
    """Mapae's own access tokens. Their user id is `sub`, and their type is in the header, where
    SimpleJWT does not look."""
    tokens = mapae.sign_up()
    token, user = tokens["access_token"], claims_of(tokens["access_token"])["sub"]
    service = by_published_keys("own tokens", mapae, algorithm, **OWN)
    elsewhere = by_published_keys(
        "own tokens, another audience", mapae, algorithm, **OWN, AUDIENCE="another"
    )
    impostor = by_published_keys(
        "own tokens, another issuer", mapae, algorithm, **OWN, ISSUER=another.issuer
    )
    foreign = another.sign_up()["access_token"]
    accepts("an access token", service, token, user)
    accepts("it as `JWT`", service, token, user, scheme="JWT")
    refuses_what_is_not_ours(
        service, token, foreign, algorithm, jwt.PyJWKClient(mapae.jwks_url).fetch_data()
    )
    refuses("a refresh token", service, tokens["refresh_token"], INVALID)
    refuses("an access token", elsewhere, token, INVALID)
    refuses("an access token", impostor, token, INVALID)
    for server in (service, elsewhere, impostor):
        server.stop()


def bridge_tokens(algorithm, mapae, another):
    """Tokens of the bridge by the published keys, with SimpleJWT's names of the claims."""
    mapae_own = mapae.sign_up()["access_token"]
    user = claims_of(mapae_own)["sub"]
    another.sign_up()
    credentials = {"username": "minji", "password": PASSWORD}
    pair = mapae.post("/api/token/", credentials).expect(200)
    foreign = another.post("/api/token/", credentials).expect(200)["access"]
    service = by_published_keys("bridge", mapae, algorithm)
    elsewhere = by_published_keys("bridge, another audience", mapae, algorithm, AUDIENCE="another")
    for_own = by_published_keys("own tokens", mapae, algorithm, **OWN)
    token = pair["access"]
    accepts("an access token", service, token, user)
    accepts("it as `JWT`", service, token, user, scheme="JWT")
    refuses_what_is_not_ours(
        service, token, foreign, algorithm, jwt.PyJWKClient(mapae.jwks_url).fetch_data()
    )
    refuses("the refresh token", service, pair["refresh"])
    refuses("an access token", elsewhere, token, INVALID)
    # Where no type is asked for, a refresh token of the bridge must fail by something else.
    refuses("the bridge's refresh token", for_own, pair["refresh"])
    refuses("Mapae's own access token, which has no type", service, mapae_own, NO_TYPE)
    for server in (service, elsewhere, for_own):
        server.stop()


def shared_key(mapae):
    """Tokens of the bridge by a shared key, which is Django's secret key: no setting at all."""
    user = claims_of(mapae.sign_up()["access_token"])["sub"]
    pair = mapae.post("/api/token/", {"username": "minji", "password": PASSWORD}).expect(200)
    token = pair["access"]
    person = {"id": user, "username": "minji", "email": "minji@example.com"}
    service = Service("shared key, defaults", secret_key=SHARED_KEY, people=[person])
    both = Service("shared key, Bearer and JWT", secret_key=SHARED_KEY, simple_jwt=TYPES)
    other = Service("another key", secret_key="a key that only the Django service has")
    accepts("an access token", service, token, user)
    accepts("it for a user of its database", service, token, user, path="/known/")
    refuses("it as `JWT`, which is no default", service, token, scheme="JWT")
    accepts("it as `Bearer`", both, token, user)
    accepts("it as `JWT`", both, token, user, scheme="JWT")
    refuses("a user that it does not know", both, token, path="/known/")
    refuses("an access token", other, token, INVALID)
    refuses("the refresh token", service, pair["refresh"], WRONG_TYPE)
    refuses("another signature", service, altered(token), INVALID)
    refuses("other claims", service, with_claims(token, user_id="another"), INVALID)
    refuses(
        "another key", service, resigned(token, "a key that neither of them has at all"), INVALID
    )
    refuses("another algorithm", service, resigned(token, SHARED_KEY, "HS384"), INVALID)
    refuses("no signature", service, unsigned(token), INVALID)
    refuses(
        "one that expired a second ago",
        service,
        resigned(token, SHARED_KEY, exp=int(time.time()) - 1),
        EXPIRED,
    )
    refuses("it an hour later", service, token, EXPIRED, ahead=HOUR)


# All at once, for the start takes longer than the checks.
own = {
    algorithm: (
        Mapae(TOKENS__ALGORITHM=algorithm),
        Mapae("another mapae", TOKENS__ALGORITHM=algorithm),
    )
    for algorithm in ALGORITHMS
}
for algorithm, servers in own.items():
    with section(f"{algorithm}, own tokens"):
        own_tokens(algorithm, *servers)
    for server in servers:
        server.stop()
bridges = {
    algorithm: tuple(
        Mapae(name, TOKENS__ALGORITHM=algorithm, SIMPLEJWT__ENABLED="true")
        for name in ("mapae", "another mapae")
    )
    for algorithm in ALGORITHMS
}
for algorithm, servers in bridges.items():
    with section(f"{algorithm}, bridge"):
        bridge_tokens(algorithm, *servers)
    for server in servers:
        server.stop()
with section("shared key"):
    shared_key(Mapae(SIMPLEJWT__ENABLED="true", SIMPLEJWT__SIGNING_KEY=SHARED_KEY))
finish()
