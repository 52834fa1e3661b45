//! What is taken for an access token, and what isn't.

use hrms_core::contract::{at, id};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://hr.example.com";

fn pem(seed: u8) -> String {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00];
    der.extend_from_slice(&ED25519_DER);
    der.extend_from_slice(&[seed; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

fn tokens(seed: u8) -> Tokens {
    Tokens::from_pem(pem(seed).as_bytes(), ISSUER).unwrap()
}

fn subject() -> Subject {
    Subject {
        tenant: Some(TenantId::from_uuid(id())),
        user: UserId::from_uuid(id()),
        session: SessionId::from_uuid(id()),
    }
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// The parts of a good token.
fn parts(token: &str) -> (Value, Value, String) {
    let parts: Vec<&str> = token.split('.').collect();
    let json = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (json(parts[0]), json(parts[1]), parts[2].to_owned())
}

/// Signs any claims with a key's own header.
fn sign(tokens: &Tokens, claims: &Value) -> String {
    jsonwebtoken::encode(&tokens.header, claims, &tokens.signing).unwrap()
}

#[test]
fn a_token_says_for_whom_it_is() {
    let tokens = tokens(1);
    for subject in [subject(), Subject { tenant: None, ..subject() }] {
        let token = tokens.issue(&subject, at(0), id()).unwrap();
        assert_eq!(tokens.verify(&token, at(1)).unwrap().subject, subject);
        let (header, claims, _) = parts(&token);
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["alg"], "EdDSA");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        assert!(token.len() < 1024);
    }
}

#[test]
fn a_token_has_its_time() {
    let tokens = tokens(1);
    let token = tokens.issue(&subject(), at(0), id()).unwrap();
    assert_eq!(tokens.verify(&token, at(-10)), Err(Refusal::Invalid), "before its time");
    assert!(tokens.verify(&token, at(-4)).is_ok(), "clocks may differ a little");
    assert!(tokens.verify(&token, at(300)).is_ok());
    assert_eq!(tokens.verify(&token, at(306)), Err(Refusal::Expired));
    let short = Tokens::from_pem(pem(1).as_bytes(), ISSUER).unwrap().with_life(SignedDuration::from_hours(9));
    assert_eq!(short.life_seconds(), 600);
}

#[test]
fn keys_are_rotated() {
    let (old, new) = (tokens(1), tokens(2).and_verify(pem(1).as_bytes()).unwrap());
    let token = old.issue(&subject(), at(0), id()).unwrap();
    assert!(new.verify(&token, at(0)).is_ok());
    let fresh = new.issue(&subject(), at(0), id()).unwrap();
    assert_eq!(old.verify(&fresh, at(0)), Err(Refusal::Invalid), "a key it doesn't know");
    let set = serde_json::to_value(new.key_set()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0]["kid"], keys[1]["kid"]);
    assert!(keys.iter().all(|key| key.get("d").is_none()), "{set}");
}

#[test]
fn claims_are_pinned() {
    let tokens = tokens(1);
    let (_, good, _) = parts(&tokens.issue(&subject(), at(0), id()).unwrap());
    assert!(tokens.verify(&sign(&tokens, &good), at(0)).is_ok());
    let second = at(0).as_second();
    for (claim, value) in [
        ("iss", json!("https://evil.example.com")),
        ("iss", json!([ISSUER, "https://evil.example.com"])),
        ("iss", Value::Null),
        ("aud", json!("another-api")),
        ("aud", json!(["hrms-api"])),
        ("aud", Value::Null),
        ("sub", json!("not a uuid")),
        ("sub", Value::Null),
        ("sid", Value::Null),
        ("tenant", json!("*")),
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("exp", json!(9.0e15)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(-1)),
        ("exp", json!(second + 100_000)),
        ("nbf", Value::Null),
        ("nbf", json!(second + 60)),
        ("jti", Value::Null),
    ] {
        let mut claims = good.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value;
        }
        assert!(tokens.verify(&sign(&tokens, &claims), at(0)).is_err(), "{claims}");
    }
}

#[test]
fn the_header_is_not_for_the_sender_to_choose() {
    let tokens = tokens(1);
    let token = tokens.issue(&subject(), at(0), id()).unwrap();
    let (good, claims, signature) = parts(&token);
    let body = encode(&claims);
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("refresh+jwt")),
        ("typ", Value::Null),
        ("kid", json!("../../dev/null")),
        ("kid", Value::Null),
        ("crit", json!(["b64"])),
        ("crit", json!(["exp"])),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})),
        ("jku", json!("https://evil.example.com/keys")),
        ("x5u", json!("https://evil.example.com/chain")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("alg", json!("eddsa")),
        ("alg", json!("Ed25519")),
        ("alg", json!("PS256")),
        ("alg", json!(["EdDSA"])),
        ("zip", json!("DEF")),
    ] {
        let mut header = good.clone();
        if value.is_null() {
            header.as_object_mut().unwrap().remove(name);
        } else {
            header[name] = value;
        }
        // With the old signature, with none, and with a good one over the changed header.
        let message = format!("{}.{body}", encode(&header));
        let signed =
            jsonwebtoken::crypto::sign(message.as_bytes(), &tokens.signing, Algorithm::EdDSA).unwrap();
        for signature in [signature.as_str(), "", signed.as_str()] {
            let forged = format!("{message}.{signature}");
            assert_eq!(tokens.verify(&forged, at(0)), Err(Refusal::Invalid), "{header}");
        }
    }
}

/// Signs any bytes with a key's own header.
fn sign_bytes(tokens: &Tokens, payload: &[u8]) -> String {
    let message = format!("{}.{}", tokens.verifiers[0].header, URL_SAFE_NO_PAD.encode(payload));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &tokens.signing, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

/// Not even our own key makes sense of what isn't one set of claims.
#[test]
fn what_is_signed_must_be_claims() {
    let tokens = tokens(1);
    let (_, good, _) = parts(&tokens.issue(&subject(), at(0), id()).unwrap());
    let text = good.to_string();
    assert!(tokens.verify(&sign_bytes(&tokens, text.as_bytes()), at(0)).is_ok());
    let twice = |claim: &str| {
        let again = json!({ claim: good[claim] }).to_string();
        format!("{},{}", &text[..text.len() - 1], &again[1..])
    };
    let mut wrong: Vec<Vec<u8>> = ["iss", "aud", "sub", "sid", "tenant", "exp", "nbf", "iat", "jti"]
        .map(|claim| twice(claim).into_bytes())
        .to_vec();
    wrong.extend([
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        format!("{text}{text}").into_bytes(),
        format!("{text}x").into_bytes(),
        format!("[{text}]").into_bytes(),
        [text.as_bytes(), b"\xff"].concat(),
        text.replace("hrms-api", "hrms-\u{202e}api").into_bytes(),
        [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat(),
        "[".repeat(1400).into_bytes(),
    ]);
    let bytes = text.into_bytes();
    wrong.push(bytes.iter().map(|byte| if *byte == b'h' { 0xfe } else { *byte }).collect());
    for payload in wrong {
        let refused = tokens.verify(&sign_bytes(&tokens, &payload), at(0));
        assert_eq!(refused, Err(Refusal::Invalid), "{}", String::from_utf8_lossy(&payload));
    }
}

/// Each part has one spelling: no padding, no other alphabet, no bits that nobody reads.
#[test]
fn a_token_has_one_spelling() {
    let tokens = tokens(1);
    let token = tokens.issue(&subject(), at(0), id()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let standard = |part: &str| part.replace('-', "+").replace('_', "/");
    let mut wrong = vec![
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}==", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}%3D", parts[0], parts[1], parts[2]),
        format!("{}.{}\0.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.\u{ff21}{}", parts[0], parts[1], &parts[2][1..]),
        format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
        format!("{{\"payload\":\"{}\",\"signature\":\"{}\"}}", parts[1], parts[2]),
    ];
    if standard(&token) != token {
        wrong.push(standard(&token));
    }
    // The last letter of a signature of 64 bytes carries four bits that must be zero.
    let last = parts[2].chars().last().unwrap();
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at_last = letters.find(last).unwrap();
    let other = letters.chars().nth(at_last ^ 1).unwrap();
    wrong.push(format!("{}{other}", &token[..token.len() - 1]));
    for token in wrong {
        assert_eq!(tokens.verify(&token, at(0)), Err(Refusal::Invalid), "{token}");
    }
}

/// A replaced key's tokens are good while it is known, and die with it.
#[test]
fn a_removed_key_is_forgotten() {
    let old = tokens(1);
    let token = old.issue(&subject(), at(0), id()).unwrap();
    let both = tokens(2).and_verify(pem(1).as_bytes()).unwrap();
    assert!(both.verify(&token, at(1)).is_ok());
    let alone = tokens(2);
    assert_eq!(alone.verify(&token, at(1)), Err(Refusal::Invalid));
    // Another key's signature under the known key's header.
    let (_, claims, _) = parts(&token);
    let message = format!("{}.{}", alone.verifiers[0].header, encode(&claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &old.signing, Algorithm::EdDSA).unwrap();
    for tokens in [&alone, &both] {
        assert_eq!(tokens.verify(&format!("{message}.{signature}"), at(1)), Err(Refusal::Invalid));
    }
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let tokens = tokens(1);
    let (_, claims, _) = parts(&tokens.issue(&subject(), at(0), id()).unwrap());
    let public = &tokens.verifiers[0].public;
    let raw = URL_SAFE_NO_PAD.decode(&public.x).unwrap();
    for secret in [raw.as_slice(), public.x.as_bytes(), public.kid.as_bytes(), b""] {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.into());
        header.kid = Some(public.kid.clone());
        let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(tokens.verify(&forged, at(0)), Err(Refusal::Invalid));
        // The same signature under our own header.
        let (_, tail) = forged.split_once('.').unwrap();
        let forged = format!("{}.{tail}", tokens.verifiers[0].header);
        assert_eq!(tokens.verify(&forged, at(0)), Err(Refusal::Invalid));
    }
}

#[test]
fn what_is_changed_is_refused() {
    let tokens = tokens(1);
    let token = tokens.issue(&subject(), at(0), id()).unwrap();
    for position in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(tokens.verify(&changed, at(0)), Err(Refusal::Invalid), "at {position}");
        assert_eq!(tokens.verify(&token[..position], at(0)), Err(Refusal::Invalid), "cut at {position}");
    }
    for garbage in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        format!("{token}."),
        format!("{token}.x"),
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        token.replace('.', ".."),
        token.repeat(10),
        "e30.e30.e30".into(),
        "\u{1f600}".repeat(50),
    ] {
        assert_eq!(tokens.verify(&garbage, at(0)), Err(Refusal::Invalid), "{garbage}");
    }
}

#[test]
fn only_ed25519_keys_are_keys() {
    assert!(Tokens::from_pem(b"", ISSUER).is_err());
    assert!(Tokens::from_pem(pem(1).replace("MC4", "MC5").as_bytes(), ISSUER).is_ok());
    assert!(Tokens::from_pem(pem(1).replace("PRIVATE", "PUBLIC").as_bytes(), ISSUER).is_err());
    assert!(Tokens::from_pkcs8(&[0x30; 48], ISSUER).is_err());
    // Version 2, with the public key behind.
    let mut der = vec![0x30, 0x51, 0x02, 0x01, 0x01];
    der.extend_from_slice(&ED25519_DER);
    der.extend_from_slice(&[1; 32]);
    der.extend_from_slice(&[0x81, 0x21, 0x00]);
    der.extend_from_slice(&[2; 32]);
    assert_eq!(Tokens::from_pkcs8(&der, ISSUER).unwrap().key_set(), tokens(1).key_set());
}

#[test]
fn who_acts_is_said_in_one_way() {
    let tokens = tokens(1);
    let (_, plain, _) = parts(&tokens.issue(&subject(), at(0), id()).unwrap());
    let with = |act: Value, grant: Value| {
        let mut claims = plain.clone();
        for (claim, value) in [("act", act), ("support_grant", grant)] {
            if !value.is_null() {
                claims[claim] = value;
            }
        }
        claims
    };
    let (operator, grant) = (json!(id()), json!(id()));
    let good = with(json!({ "sub": operator }), grant.clone());
    assert!(tokens.verify(&sign(&tokens, &good), at(0)).unwrap().support.is_some());
    let nested = json!({ "sub": operator, "act": { "sub": json!(id()) } });
    for (what, claims) in [
        ("nobody's grant", with(Value::Null, grant.clone())),
        ("an actor without a grant", with(json!({ "sub": operator }), Value::Null)),
        ("an actor through an actor", with(nested, grant.clone())),
        (
            "an actor with more than a name",
            with(json!({ "sub": operator, "roles": ["owner"] }), grant.clone()),
        ),
        ("the user through themselves", with(json!({ "sub": plain["sub"] }), grant.clone())),
        ("an actor without a name", with(json!({}), grant.clone())),
        ("an actor that is a text", with(operator.clone(), grant.clone())),
        ("several actors", with(json!([{ "sub": operator }]), grant.clone())),
        ("an actor that is no id", with(json!({ "sub": "operator" }), grant.clone())),
        ("a grant that is no id", with(json!({ "sub": operator }), json!("*"))),
        ("a grant that is a list", with(json!({ "sub": operator }), json!([grant]))),
    ] {
        assert_eq!(tokens.verify(&sign(&tokens, &claims), at(0)), Err(Refusal::Invalid), "{what}: {claims}");
    }
    let mut nowhere = good.clone();
    nowhere.as_object_mut().unwrap().remove("tenant");
    assert!(tokens.verify(&sign(&tokens, &nowhere), at(0)).is_err(), "acting in no organisation");
    // What is signed can't be exchanged for another one's.
    let token = sign(&tokens, &good);
    let (_, _, signature) = parts(&token);
    let header = token.split('.').next().unwrap();
    let other = with(json!({ "sub": json!(id()) }), grant);
    let forged = format!("{header}.{}.{signature}", encode(&other));
    assert_eq!(tokens.verify(&forged, at(0)), Err(Refusal::Invalid));
}
