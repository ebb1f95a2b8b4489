use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// Signature version 2 of Naver Cloud's gateway, over what is sent: the method, the path with its
/// query byte for byte, the time in milliseconds, and the access key.
pub(crate) fn sign(
    key: &hmac::Key,
    method: &str,
    target: &str,
    millis: i64,
    access_key: &str,
) -> String {
    let signed = format!("{method} {target}\n{millis}\n{access_key}");
    STANDARD.encode(hmac::sign(key, signed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/sms/v2/services/ncp:sms:kr:123456789012:mapae/messages";

    fn signed(method: &str, target: &str) -> String {
        let secret = b"abcdefghijk12345678901234567890abcdefghij";
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        sign(&key, method, target, 1_700_000_000_000, "ABCDEFGHIJ1234567890")
    }

    #[test]
    fn a_post_is_signed_as_the_vector_says() {
        assert_eq!(signed("POST", PATH), "hsahfS+32RnVDRLcyMa0jJcLdD3Nd7ll03Cb2VY7wOM=");
    }

    #[test]
    fn a_get_is_signed_with_its_query_as_the_vector_says() {
        let target = format!("{PATH}?requestId=RSSA-1700000000000-abcdEFGH");
        assert_eq!(signed("GET", &target), "ZP2HJtlvw6haoMCI7C0OhaG6rZK5RWIFMd1IoEst6Ps=");
    }
}
