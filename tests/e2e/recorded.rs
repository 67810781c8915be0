//! Recorded webhooks played again: what a provider once sent is read, stored, and told when it comes twice.

use trunkline_simulator::Recorded;
use trunkline_tests::config::Config;

use crate::stage::{SMS, Stage, twilio};
use crate::vonage::{messages_channel, sms_channel};
use crate::whatsapp::{WA, meta};

const SMS_API: &str = "sms_vonage";
const MESSAGES: &str = "messages_vonage";

/// A channel, whose webhook it is, the body as it was recorded, the sender, and what was written.
const RECORDINGS: [(&str, Recorded, &str, &str, &str); 4] = [
    (
        SMS,
        Recorded::Twilio,
        "ToCountry=US&ToState=&SmsMessageSid=SM00000000000000000000000000000001&NumMedia=0&ToCity=&FromZip=\
         &SmsSid=SM00000000000000000000000000000001&FromState=NY&SmsStatus=received&FromCity=&Body=Hello+there+\
         &FromCountry=US&To=%2B15005550102&ToZip=&NumSegments=1&MessageSid=SM00000000000000000000000000000001\
         &AccountSid=AC00000000000000000000000000000001&From=%2B15005550111&ApiVersion=2010-04-01&FutureField=x",
        "+15005550111",
        "Hello there ",
    ),
    (
        WA,
        Recorded::Meta,
        r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":
        {"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":
        "106540352242922"},"contacts":[{"profile":{"name":"Sheena"},"wa_id":"15005550112"}],"messages":[{"from":
        "15005550112","id":"wamid.recorded1","timestamp":"1749416383","type":"text","text":{"body":
        "Does it come in another color?"},"future_field":{"a":1}}]},"field":"messages"}]}]}"#,
        "+15005550112",
        "Does it come in another color?",
    ),
    (
        SMS_API,
        Recorded::VonageSms,
        "msisdn=15005550113&to=15005550103&messageId=0A0000000123ABCD1&text=Hello+world&type=text&keyword=HELLO\
         &api-key=abcd1234&message-timestamp=2020-01-01+12%3A00%3A00+%2B0000&future=1",
        "+15005550113",
        "Hello world",
    ),
    (
        MESSAGES,
        Recorded::VonageMessages,
        r#"{"channel":"sms","message_uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","to":"15005550104",
        "from":"15005550114","timestamp":"2026-01-01T14:00:00.000Z","message_type":"text","text":"Inbound text",
        "sms":{"num_messages":"1","keyword":"INBOUND"},"usage":{"currency":"EUR","price":"0.0333"},"future":[]}"#,
        "+15005550114",
        "Inbound text",
    ),
];

#[tokio::test]
async fn what_providers_sent_once_is_read_again() {
    let stage = Stage::new(|simulator| {
        Config::new()
            .channel(twilio(SMS, simulator))
            .channel(meta(WA, simulator, 0))
            .channel(sms_channel(SMS_API, simulator))
            .channel(messages_channel(MESSAGES, simulator))
    })
    .await;
    for (channel, recorded, body, from, text) in RECORDINGS {
        let url = stage.daemon.url(channel);
        for _ in 0..2 {
            let answer = stage
                .simulator
                .replay(recorded, &url, body.as_bytes())
                .await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status, 200, "{channel}: {answer:?}");
        }
        let message = stage.only_message(from).await;
        assert_eq!(message["content"]["text"], text, "{channel}");
        assert_eq!(message["channel"], channel);
        stage
            .event(channel, "the duplicate", |event| {
                event["outcome"] == "duplicate"
            })
            .await;
    }
}
