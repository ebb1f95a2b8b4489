"""jose on Node.js, with nothing but the address of the published keys."""

import json
import subprocess

import jwt

from common import (
    ALGORITHMS,
    AUDIENCE,
    HERE,
    HOME,
    Mapae,
    altered,
    finish,
    report,
    resigned,
    section,
    signed_with_public_key,
    stranger,
    unsigned,
    with_claims,
)

# Where its own package is found.
script = HOME / "node/jose.mjs"
script.write_text((HERE / "jose.mjs").read_text())

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
        ours = {
            "jwks": mapae.jwks_url,
            "issuer": mapae.issuer,
            "audience": AUDIENCE,
            "typ": "at+jwt",
            "algorithm": algorithm,
        }
        theirs = ours | {"jwks": another.jwks_url, "issuer": another.issuer}
        jwks = jwt.PyJWKClient(mapae.jwks_url).fetch_data()
        claim, signature = (
            "ERR_JWT_CLAIM_VALIDATION_FAILED",
            "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
        )
        cases = [
            ("accepts an access token", "accepted", token, ours),
            ("refuses another signature", signature, altered(token), ours),
            ("refuses other claims", signature, with_claims(token, roles=["admin"]), ours),
            ("refuses another Mapae's key", "ERR_JWKS_NO_MATCHING_KEY", foreign, ours),
            (
                "refuses a stranger's key under our key id",
                signature,
                resigned(token, stranger(algorithm), algorithm),
                ours,
            ),
            ("refuses another audience", f"{claim} aud", foreign, theirs),
            (
                "refuses another issuer",
                f"{claim} iss",
                foreign,
                theirs | {"issuer": mapae.issuer, "audience": "another"},
            ),
            (
                "refuses it where another kind of token is wanted",
                f"{claim} typ",
                token,
                ours | {"typ": "JWT"},
            ),
            ("refuses no signature", "ERR_JOSE_ALG_NOT_ALLOWED", unsigned(token), ours),
            (
                "refuses HS256 by the public key",
                "ERR_JOSE_ALG_NOT_ALLOWED",
                signed_with_public_key(token, jwks),
                ours,
            ),
            ("refuses it an hour later", "ERR_JWT_EXPIRED", token, ours | {"later": 3600}),
        ]
        asked = [{"token": token, **how} for _, _, token, how in cases]
        run = subprocess.run(
            ["node", script],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(run.stderr.strip())
        for (what, expected, *_), saw in zip(cases, json.loads(run.stdout), strict=True):
            report(saw["outcome"] == expected, f"{algorithm}: {what}", saw["detail"])
finish()
