// Verifies what it is given on standard input, and says of each token what became of it.
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const sets = new Map();
const keys = (url) => sets.get(url) ?? sets.set(url, createRemoteJWKSet(new URL(url))).get(url);

const outcomes = [];
for (const { token, jwks, issuer, audience, typ, algorithm, later = 0 } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keys(jwks), {
      issuer, audience, typ, algorithms: [algorithm],
      requiredClaims: ["exp", "iat", "sub"],
      currentDate: new Date(Date.now() + later * 1000),
    });
    outcomes.push({ outcome: "accepted", detail: JSON.stringify({ ...protectedHeader, iss: payload.iss, aud: payload.aud }) });
  } catch (error) {
    const outcome = [error.code ?? error.name, error.code === "ERR_JWT_CLAIM_VALIDATION_FAILED" && error.claim]
      .filter(Boolean).join(" ");
    outcomes.push({ outcome, detail: `${outcome}: ${error.message}` });
  }
}
console.log(JSON.stringify(outcomes));
