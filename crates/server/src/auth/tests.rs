use serde_json::{Value, json};

use super::*;

const KEY: &str = "yard";
const SECRET: &str = "a secret of at least thirty-two characters";
const OTHER: &str = "another secret of more than thirty-two characters";

fn keys() -> Keys {
    Keys::new(&BTreeMap::from([
        (KEY.to_owned(), Secret::new(SECRET)),
        ("second".to_owned(), Secret::new(OTHER)),
    ]))
}

fn wall() -> Duration {
    crate::time::now().wall
}

fn payload() -> Value {
    json!({
        "iss": KEY, "sub": "kim", "nbf": wall().as_secs(), "exp": wall().as_secs() + 60,
        "video": { "roomJoin": true, "room": "r" },
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut payload = payload();
    payload[key] = value;
    payload
}

fn without(key: &str) -> Value {
    let mut payload = payload();
    payload.as_object_mut().expect("an object").remove(key);
    payload
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn hmac(text: &str, secret: &str, algorithm: Algorithm) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::crypto::sign(text.as_bytes(), &key, algorithm).expect("a MAC")
}

/// A token with any header, signed as told.
fn signed(header: &Value, payload: &Value, secret: &str, algorithm: Algorithm) -> String {
    let text = format!("{}.{}", encoded(header), encoded(payload));
    let signature = hmac(&text, secret, algorithm);
    format!("{text}.{signature}")
}

fn good(payload: &Value) -> String {
    signed(
        &json!({"alg": "HS256", "typ": "JWT"}),
        payload,
        SECRET,
        ALGORITHM,
    )
}

#[test]
fn a_good_token_is_believed() {
    let verified = keys().verify(&good(&payload())).expect("good");
    assert_eq!(
        (
            verified.key.as_str(),
            verified.claims.identity(),
            verified.claims.room()
        ),
        (KEY, "kim", "r")
    );
}

#[test]
fn our_own_tokens_are_believed() {
    let claims = Claims::join("r", "kim");
    let token = keys()
        .sign("second", claims, wall(), Duration::from_secs(60))
        .expect("a key of ours");
    let verified = keys().verify(&token).expect("good");
    assert_eq!(
        (verified.key.as_str(), verified.claims.identity()),
        ("second", "kim")
    );
    assert!(
        keys()
            .sign("third", Claims::default(), wall(), LEEWAY)
            .is_none()
    );
}

#[test]
fn clocks_may_differ_by_a_minute() {
    let ago = |s: u64| json!(wall().as_secs() - s);
    let ahead = |s: u64| json!(wall().as_secs() + s);
    assert!(keys().verify(&good(&with("exp", ago(30)))).is_ok());
    assert_eq!(
        keys().verify(&good(&with("exp", ago(100)))).err(),
        Some(TokenError::Expired)
    );
    assert!(keys().verify(&good(&with("nbf", ahead(30)))).is_ok());
    assert_eq!(
        keys().verify(&good(&with("nbf", ahead(100)))).err(),
        Some(TokenError::NotYetValid)
    );
    assert!(keys().verify(&good(&without("nbf"))).is_ok());
}

/// Everything a forger may try who does not know the secret, and everything that is no token.
#[expect(clippy::too_many_lines, reason = "a table")]
fn forged() -> Vec<(&'static str, String)> {
    let hs256 = json!({"alg": "HS256", "typ": "JWT"});
    let text = |header: &Value| format!("{}.{}", encoded(header), encoded(&payload()));
    let alg = |alg: &str| json!({"alg": alg, "typ": "JWT"});
    let good_token = good(&payload());
    let (head, signature) = good_token.rsplit_once('.').expect("three parts");
    let (header, body) = head.split_once('.').expect("three parts");
    let jwk = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": URL_SAFE_NO_PAD.encode(OTHER)}});
    let jku = json!({"alg": "HS256", "jku": "http://127.0.0.1/keys.json"});
    let kid_path = json!({"alg": "HS256", "kid": "../../../../dev/null"});
    let kid_other = json!({"alg": "HS256", "kid": "second"});
    let critical = json!({"alg": "HS256", "crit": ["b64"], "b64": false});
    vec![
        ("empty", String::new()),
        ("no token at all", "hello".to_owned()),
        ("dots only", "..".to_owned()),
        ("four parts", format!("{good_token}.x")),
        ("two parts", head.to_owned()),
        ("no signature", format!("{head}.")),
        ("alg none, no signature", format!("{}.", text(&alg("none")))),
        ("alg None, no signature", format!("{}.", text(&alg("None")))),
        (
            "alg NONE, old signature",
            format!("{}.{signature}", text(&alg("NONE"))),
        ),
        (
            "no alg",
            signed(&json!({"typ": "JWT"}), &payload(), SECRET, ALGORITHM),
        ),
        (
            "HS384 by the right secret",
            signed(&alg("HS384"), &payload(), SECRET, Algorithm::HS384),
        ),
        (
            "HS512 by the right secret",
            signed(&alg("HS512"), &payload(), SECRET, Algorithm::HS512),
        ),
        (
            "says RS256, is HS256",
            signed(&alg("RS256"), &payload(), SECRET, ALGORITHM),
        ),
        (
            "says ES256, is HS256",
            signed(&alg("ES256"), &payload(), SECRET, ALGORITHM),
        ),
        (
            "says EdDSA, is HS256",
            signed(&alg("EdDSA"), &payload(), SECRET, ALGORITHM),
        ),
        (
            "another secret",
            signed(&hs256, &payload(), "guess", ALGORITHM),
        ),
        ("empty secret", signed(&hs256, &payload(), "", ALGORITHM)),
        (
            "the key's name as secret",
            signed(&hs256, &payload(), KEY, ALGORITHM),
        ),
        (
            "another key of ours",
            signed(&hs256, &payload(), OTHER, ALGORITHM),
        ),
        (
            "a key of its own in the header",
            signed(&jwk, &payload(), OTHER, ALGORITHM),
        ),
        (
            "an address of keys",
            signed(&jku, &payload(), OTHER, ALGORITHM),
        ),
        (
            "a path as kid",
            signed(&kid_path, &payload(), "", ALGORITHM),
        ),
        (
            "another key as kid",
            signed(&kid_other, &payload(), OTHER, ALGORITHM),
        ),
        (
            "the development key",
            signed(&hs256, &with("iss", json!("devkey")), "secret", ALGORITHM),
        ),
        (
            "an unknown issuer",
            signed(&hs256, &with("iss", json!("other")), SECRET, ALGORITHM),
        ),
        (
            "no issuer",
            signed(&hs256, &without("iss"), SECRET, ALGORITHM),
        ),
        (
            "several issuers",
            signed(
                &hs256,
                &with("iss", json!([KEY, "second"])),
                SECRET,
                ALGORITHM,
            ),
        ),
        (
            "the issuer is a number",
            signed(&hs256, &with("iss", json!(1)), SECRET, ALGORITHM),
        ),
        (
            "an object as issuer",
            signed(&hs256, &with("iss", json!({"a": KEY})), SECRET, ALGORITHM),
        ),
        (
            "__proto__ as issuer",
            signed(&hs256, &with("iss", json!("__proto__")), "", ALGORITHM),
        ),
        (
            "claims changed",
            format!(
                "{header}.{}.{signature}",
                encoded(&with("sub", json!("admin")))
            ),
        ),
        (
            "header changed",
            format!(
                "{}.{body}.{signature}",
                encoded(&alg("HS256")).replace('J', "K")
            ),
        ),
        (
            "one bit of the signature",
            format!("{head}.{}", flipped(signature)),
        ),
        (
            "signature cut",
            format!("{head}.{}", signature.get(..20).expect("43 digits")),
        ),
        ("expired", good(&with("exp", json!(1)))),
        ("never ends", good(&without("exp"))),
        ("ends at a word", good(&with("exp", json!("tomorrow")))),
        ("ends before time began", good(&with("exp", json!(-1)))),
        (
            "not yet",
            good(&with("nbf", json!(wall().as_secs() + 3_600))),
        ),
        (
            "claims are no object",
            signed(&hs256, &json!([1, 2]), SECRET, ALGORITHM),
        ),
        (
            "claims are no JSON",
            format!(
                "{header}.{}.{signature}",
                URL_SAFE_NO_PAD.encode("{\"iss\"")
            ),
        ),
        (
            "too large",
            good(&with("metadata", json!("x".repeat(TOKEN_BYTES_MAX)))),
        ),
        ("line ends", format!("{header}.{body}\r\n.{signature}")),
        ("a null byte", format!("{good_token}\0")),
        (
            "critical extension",
            signed(&critical, &payload(), OTHER, ALGORITHM),
        ),
        ("encrypted form", format!("{header}.a.b.c.{signature}")),
    ]
}

fn flipped(signature: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("ours");
    *bytes.first_mut().expect("32 bytes") ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn no_forged_token_is_believed() {
    let forged = forged();
    assert!(forged.len() >= 30);
    let believed: Vec<_> = forged
        .iter()
        .filter(|(_, token)| keys().verify(token).is_ok())
        .map(|(what, _)| what)
        .collect();
    assert!(believed.is_empty(), "{believed:?}");
}

#[test]
fn refusals_repeat_nothing() {
    for (what, token) in forged().iter().filter(|(_, token)| token.len() > 8) {
        let said = keys().verify(token).err().map(|error| error.to_string());
        assert!(
            said.is_some_and(|said| !said.contains(token.as_str())),
            "{what}"
        );
    }
}
