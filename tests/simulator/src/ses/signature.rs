//! Verifies AWS signature version 4 from AWS's description, request by request.

use crate::reply::Incoming;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// How far a request's time may be off, in seconds.
const SKEW_S: u64 = 300;

/// An access key in one region, for one service.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) region: String,
    service: &'static str,
}

impl Keys {
    /// Another one in each simulator.
    pub(super) fn random(region: &str, service: &'static str) -> Self {
        Self {
            id: format!("AKIA{:016X}", rand::random::<u64>()),
            secret: format!("{:040x}", rand::random::<u128>()),
            region: region.to_owned(),
            service,
        }
    }

    /// What is wrong with a request's signature.
    pub(super) fn verify(&self, incoming: &Incoming, now: Timestamp) -> Result<(), String> {
        let header = |name: &str| incoming.header(name).ok_or(format!("`{name}` is missing"));
        let authorization = header("authorization")?;
        let rest = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or("another algorithm")?;
        let field = |name: &str| {
            let mut fields = rest.split(',').map(str::trim);
            let found = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            found.ok_or(format!("`{name}` is missing"))
        };
        let time = header("x-amz-date")?;
        let sent: Timestamp = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time)
            .and_then(|time| time.in_tz("UTC"))
            .map_err(|error| format!("x-amz-date: {error}"))?
            .timestamp();
        if sent.as_second().abs_diff(now.as_second()) > SKEW_S {
            return Err(format!("{time} is too far off"));
        }
        let day = &time[..8];
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        if field("Credential")? != format!("{}/{scope}", self.id) {
            return Err("another credential or scope".into());
        }
        let names = field("SignedHeaders")?;
        let listed: Vec<&str> = names.split(';').collect();
        for needed in ["host", "x-amz-date"] {
            if !listed.contains(&needed) {
                return Err(format!("`{needed}` is not signed"));
            }
        }
        if incoming.header("content-type").is_some() && !listed.contains(&"content-type") {
            return Err("`content-type` is not signed".into());
        }
        if !listed.is_sorted() {
            return Err("the signed headers are not sorted".into());
        }
        let mut lines = String::new();
        for name in &listed {
            let value = header(name)?;
            lines = lines + name + ":" + value.trim() + "\n";
        }
        let payload = HEXLOWER.encode(&Sha256::digest(&incoming.body));
        let request = [
            incoming.method.as_str(),
            &incoming.path,
            &incoming.query,
            &lines,
            names,
            &payload,
        ]
        .join("\n");
        let hash = HEXLOWER.encode(&Sha256::digest(request));
        let text = ["AWS4-HMAC-SHA256", time, &scope, &hash].join("\n");
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for step in [day, &self.region, self.service, "aws4_request", &text] {
            key = mac(&key, step);
        }
        if field("Signature")? == HEXLOWER.encode(&key) {
            Ok(())
        } else {
            Err("the signature is wrong".into())
        }
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's published example ("Create a signed AWS API request").
    #[test]
    fn published_example() {
        let keys = Keys {
            id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
            service: "iam",
        };
        let signed = |signature: &str| {
            Incoming {
            method: "GET".into(),
            path: "/".into(),
            query: "Action=ListUsers&Version=2010-05-08".into(),
            headers: [
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()),
                ("host", "iam.amazonaws.com".to_owned()),
                ("x-amz-date", "20150830T123600Z".to_owned()),
                ("authorization", format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, Signature={signature}"
                )),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            body: "".into(),
        }
        };
        let right = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let then: Timestamp = "2015-08-30T12:38:00Z".parse().unwrap();
        assert_eq!(keys.verify(&signed(right), then), Ok(()));
        assert!(
            keys.verify(&signed(&right.replace('5', "6")), then)
                .is_err()
        );
        let late: Timestamp = "2015-08-30T12:42:00Z".parse().unwrap();
        assert!(keys.verify(&signed(right), late).is_err());
        let mut altered = signed(right);
        altered.body = "x".into();
        assert!(keys.verify(&altered, then).is_err());
    }
}
