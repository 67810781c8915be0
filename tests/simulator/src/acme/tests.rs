//! Acme is strict, and keeps what it takes.

use super::*;

fn acme() -> Acme {
    let courier = Courier::new(tokio::runtime::Handle::current()).expect("a client");
    Acme::new("http://127.0.0.1:1", courier)
}

fn call(acme: &Acme, method: &str, path: &str, body: &Value) -> Incoming {
    let headers = [
        ("authorization", format!("Bearer {}", acme.token())),
        ("content-type", "application/json".to_owned()),
    ];
    Incoming {
        method: method.to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        body: body.to_string().into(),
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_what_is_right_is_kept() {
    let acme = acme();
    let right = json!({"to": "+15005550101", "text": "Hello", "reference": "r1"});
    let post = |body: &Value| call(&acme, "POST", "/acme/messages", body);
    let mut stranger = post(&right);
    stranger.headers[0].1 = "Bearer other".to_owned();
    let table = [
        (post(&right), None),
        (call(&acme, "GET", "/acme/account", &Value::Null), None),
        (stranger, Some(401)),
        (post(&json!({"to": "ada", "text": "Hello"})), Some(400)),
        (post(&json!({"to": "+15005550101", "text": ""})), Some(400)),
        (post(&Value::Null), Some(400)),
        (call(&acme, "GET", "/acme/messages", &right), Some(404)),
    ];
    for (incoming, expected) in table {
        let body: Value = serde_json::from_slice(&incoming.body).unwrap();
        let refusal = acme.refusal(&incoming, &body);
        assert_eq!(refusal.map(|(status, _)| status), expected, "{incoming:?}");
    }
    let Reply::Answer { status, body, .. } = acme.serve(post(&right)).await else {
        panic!("no answer");
    };
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let taken = acme.taken();
    assert_eq!((status, taken.len()), (201, 1));
    assert_eq!(answer["id"], taken[0].id.as_str());
    assert_eq!(taken[0].reference.as_deref(), Some("r1"));
    acme.set_behaviour(Behaviour::status(503));
    let Reply::Answer { status, .. } = acme.serve(post(&right)).await else {
        panic!("no answer");
    };
    assert_eq!((status, acme.taken().len()), (503, 1), "nothing was taken");
}

#[test]
fn the_signature_is_that_of_rfc_4231() {
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(sign("Jefe", b"what do ya want for nothing?"), expected);
}
