"""PyJWT, with nothing but the address of the published keys."""

import datetime

import jwt
from freezegun import freeze_time

from common import (
    ALGORITHMS,
    AUDIENCE,
    HOUR,
    Mapae,
    altered,
    finish,
    header_of,
    report,
    resigned,
    section,
    signed_with_public_key,
    stranger,
    unsigned,
    with_claims,
)


def verify(token, keys, algorithm, issuer, audience=AUDIENCE):
    key = keys.get_signing_key_from_jwt(token)
    return jwt.decode(
        token,
        key,
        algorithms=[algorithm],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )


def refused(what, error, *arguments, **more):
    try:
        verify(*arguments, **more)
    except jwt.PyJWTError as raised:
        # By its name, for a token may also be refused for a reason that is not the one shown.
        report(type(raised).__name__ == error, what, f"{type(raised).__name__}: {raised}")
    else:
        report(False, what, "accepted")


servers = {
    algorithm: (
        Mapae(TOKENS__ALGORITHM=algorithm),
        Mapae("another mapae", TOKENS__ALGORITHM=algorithm, TOKENS__AUDIENCE="another"),
    )
    for algorithm in ALGORITHMS
}
for algorithm, (mapae, another) in servers.items():
    with section(algorithm):
        token = mapae.sign_up()["access_token"]
        foreign = another.sign_up()["access_token"]
        keys, foreign_keys = jwt.PyJWKClient(mapae.jwks_url), jwt.PyJWKClient(another.jwks_url)
        ours = (keys, algorithm, mapae.issuer)

        claims = verify(token, *ours)
        header = header_of(token)
        report(
            header["alg"] == algorithm and header["typ"] == "at+jwt" and "kid" in header,
            f"{algorithm}: accepts an access token",
            f"header {header}",
        )
        report(
            claims["iss"] == mapae.issuer and claims["aud"] == AUDIENCE,
            f"{algorithm}: by issuer and audience",
            f"iss {claims['iss']}, aud {claims['aud']}",
        )
        refused(
            f"{algorithm}: refuses another signature",
            "InvalidSignatureError",
            altered(token),
            *ours,
        )
        refused(
            f"{algorithm}: refuses other claims",
            "InvalidSignatureError",
            with_claims(token, roles=["admin"]),
            *ours,
        )
        refused(f"{algorithm}: refuses another Mapae's key", "PyJWKClientError", foreign, *ours)
        refused(
            f"{algorithm}: refuses a stranger's key under our key id",
            "InvalidSignatureError",
            resigned(token, stranger(algorithm), algorithm),
            *ours,
        )
        refused(
            f"{algorithm}: refuses another audience",
            "InvalidAudienceError",
            foreign,
            foreign_keys,
            algorithm,
            another.issuer,
        )
        refused(
            f"{algorithm}: refuses another issuer",
            "InvalidIssuerError",
            foreign,
            foreign_keys,
            algorithm,
            mapae.issuer,
            audience="another",
        )
        refused(
            f"{algorithm}: refuses no signature", "InvalidAlgorithmError", unsigned(token), *ours
        )
        refused(
            f"{algorithm}: refuses HS256 by the public key",
            "InvalidAlgorithmError",
            signed_with_public_key(token, keys.fetch_data()),
            *ours,
        )
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=HOUR)
        with freeze_time(later, tick=True):
            refused(f"{algorithm}: refuses it an hour later", "ExpiredSignatureError", token, *ours)
finish()
