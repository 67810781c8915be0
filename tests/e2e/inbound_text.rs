//! What providers really send: odd URLs, repeated and empty parameters, text byte for byte.

use trunkline_tests::config::Config;
use trunkline_tests::twilio::{Hook, Sms};

use crate::stage::{SMS, Stage, twilio};

/// A stage behind a proxy: providers know `public_url`, the listener is plain HTTP on any port.
async fn behind(public_url: &str) -> Stage {
    Stage::new(|simulator| {
        Config::new()
            .set("server.listen", "127.0.0.1:0")
            .set("server.public_url", public_url)
            .channel(twilio(SMS, simulator))
    })
    .await
}

/// Texts that a careless hand would change.
const TEXTS: [&str; 12] = [
    "plain",
    "Hello & welcome: 50% off? é😀 ",
    "  spaces around  ",
    "trailing newline\n",
    "line\r\nline\r\n",
    "\ttab first",
    "a+b=c&d=e%20f",
    "👩‍👩‍👧‍👦 family, 🇩🇪 flag",
    "e\u{301} is not é",
    "\u{feff}marked",
    "<b>&amp;</b> \"quoted\" 'too'",
    "שלום עולם \u{200f}",
];

#[tokio::test]
async fn text_is_kept_byte_for_byte() {
    let stage = behind("https://hooks.example.test").await;
    for (number, text) in TEXTS.iter().enumerate() {
        let from = format!("+150055502{number:02}");
        assert_eq!(
            stage.deliver(SMS, &Sms::new(&from, text)).await,
            200,
            "{text:?}"
        );
        let message = stage.only_message(&from).await;
        assert_eq!(message["content"]["text"], *text);
    }
}

#[tokio::test]
async fn an_empty_body_is_a_message_too() {
    let stage = behind("https://hooks.example.test").await;
    assert_eq!(stage.deliver(SMS, &Sms::new("+15005550101", "")).await, 200);
    let message = stage.only_message("+15005550101").await;
    let text = &message["content"]["text"];
    assert!(text.is_null() || text == "", "{text}");
}

#[tokio::test]
async fn odd_parameters_verify() {
    let stage = behind("https://hooks.example.test").await;
    let odd = [
        Sms::new("+15005550301", "repeated")
            .with("Tag", "b")
            .with("Tag", "a")
            .with("Tag", "b"),
        Sms::new("+15005550302", "empty values")
            .with("FromCity", "")
            .with("Empty", ""),
        Sms::new("+15005550303", "case in order")
            .with("aaa", "1")
            .with("ZZZ", "2")
            .with("Aaa", "3"),
        Sms::new("+15005550304", "spaces kept").with("FromCity", " Saint  Paul "),
        Sms::new("+15005550305", "unknown ones").with("SomethingNew", "{\"a\":[1,2]}"),
        Sms::new("+15005550306", "names too").with("Größe €", "ü&=+%"),
    ];
    for sms in &odd {
        assert_eq!(stage.deliver(SMS, sms).await, 200, "{sms:?}");
        assert_eq!(
            stage.only_message(&sms.from).await["external_id"],
            sms.sid.as_str()
        );
    }
}

#[tokio::test]
async fn signatures_hold_behind_a_proxy_with_ports_and_queries() {
    for public_url in [
        "https://hooks.example.test",
        "https://hooks.example.test:8443",
        "http://hooks.example.test:80",
        "https://hooks.example.test/gateway",
    ] {
        let stage = behind(public_url).await;
        let from = "+15005550101";
        let base = stage.hook(SMS);
        for tail in ["", "?tenant=a%20b&x=%2B1&empty=", "#rc=3&rp=all"] {
            let hook = Hook {
                url: format!("{}{tail}", base.url),
                ..base.clone()
            };
            // The proxy strips the path it serves the daemon under, and no client sends a fragment.
            let target = format!(
                "{}{}",
                stage.daemon.path(SMS),
                tail.split('#').next().unwrap()
            );
            let request = hook.request(&Sms::new(from, "😀 ")).retarget(target);
            assert_eq!(
                stage.post(&request).await.status,
                200,
                "{public_url} and {tail}"
            );
        }
        assert_eq!(
            stage.daemon.api().timeline(from).await.len(),
            3,
            "{public_url}"
        );
    }
}

#[tokio::test]
async fn twilio_may_sign_with_or_without_the_port() {
    let stage = behind("https://hooks.example.test:8443").await;
    let with = stage.hook(SMS);
    let without = Hook {
        url: with.url.replace(":8443", ""),
        ..with.clone()
    };
    let default = behind("https://hooks.example.test").await;
    let explicit = Hook {
        url: default.hook(SMS).url.replace(".test/", ".test:443/"),
        ..default.hook(SMS)
    };
    for (name, stage, hook) in [
        ("given", &stage, &with),
        ("left out", &stage, &without),
        ("the scheme's own", &default, &explicit),
    ] {
        let status = stage
            .post(&hook.request(&Sms::new("+15005550101", name)))
            .await
            .status;
        assert_eq!(status, 200, "port {name}");
    }
}

#[tokio::test]
async fn forwarded_headers_are_not_believed() {
    let stage = behind("https://hooks.example.test").await;
    let hook = stage.hook(SMS);
    let elsewhere = Hook {
        url: hook.url.replace("hooks.example.test", "evil.example.test"),
        ..hook
    };
    let request = elsewhere
        .request(&Sms::new("+15005550101", "from elsewhere"))
        .header("x-forwarded-host", "evil.example.test")
        .header("x-forwarded-proto", "https");
    assert_eq!(stage.post(&request).await.status, 401);
}

#[tokio::test]
async fn whatsapp_senders_are_people_of_their_own_space() {
    let stage = Stage::new(|simulator| {
        let number = format!("whatsapp:{}", simulator.twilio().number());
        Config::new().channel(twilio("wa", simulator).config("from", number))
    })
    .await;
    let mut sms = Sms::new("whatsapp:+15005550101", "hi")
        .with("ProfileName", "Ada")
        .with("WaId", "15005550101");
    sms.to = format!("whatsapp:{}", sms.to);
    assert_eq!(stage.deliver("wa", &sms).await, 200);
    let message = stage.only_message("+15005550101").await;
    assert_eq!(message["medium"], "whatsapp");
    let contact = stage.daemon.api().contacts("+15005550101").await.remove(0);
    assert_eq!(contact["identities"][0]["space"], "whatsapp");
    assert_eq!(contact["name"], "Ada");
}

#[tokio::test]
async fn media_of_an_mms_is_kept_with_its_message() {
    let stage = behind("https://hooks.example.test").await;
    let hook = stage.hook(SMS);
    let mut sms = Sms::new("+15005550101", "look");
    sms.sid.replace_range(..2, "MM");
    let media = format!(
        "{}/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1",
        stage.simulator.url()
    );
    let mut params = sms.params(&hook.account_sid);
    for (name, value) in &mut params {
        if name == "NumMedia" {
            *value = "1".to_owned();
        }
    }
    params.push(("MediaUrl0".to_owned(), media));
    params.push(("MediaContentType0".to_owned(), "image/jpeg".to_owned()));
    assert_eq!(stage.post(&hook.form(&params)).await.status, 200);
    let message = stage.only_message("+15005550101").await;
    let items = message["content"]["media"]
        .as_array()
        .expect("media is a list");
    assert_eq!(items.len(), 1, "{message}");
    assert_eq!(items[0]["content_type"], "image/jpeg");
}
