//! Reading a request's body: bounded in size, in time, and in how slowly it may come.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    web,
};
use futures_util::StreamExt as _;

use crate::{config::Limits, gateway::Gateway, metrics::Refusal};

/// Bytes of a body of unknown length that are read before it is taken for a large one.
const KNOWN_BYTES_MAX: usize = 256 * 1024;

/// A body that is not taken, with what was not read of it.
pub(in crate::web) struct BodyError {
    /// The answer: 400, 408 or 413.
    pub(in crate::web) status: StatusCode,
    /// The rest.
    pub(in crate::web) rest: web::Payload,
}

/// Reads a body up to `limit` bytes; 413 beyond it, before it is read where its length is announced, 408
/// where it comes too slowly for `[server.limits]`.
pub(in crate::web) async fn read(
    gateway: &Gateway,
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|len| len > limit as u64) {
        return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, payload));
    }
    let expected = announced
        .and_then(|len| usize::try_from(len).ok())
        .unwrap_or(0);
    let pace = Pace::new(&gateway.settings.load().server.limits, Instant::now());
    let mut body = Vec::with_capacity(expected);
    loop {
        let until = tokio::time::Instant::from_std(pace.deadline(body.len() as u64));
        let Ok(chunk) = tokio::time::timeout_at(until, payload.next()).await else {
            gateway.metrics.refused(Refusal::SlowBody);
            return Err(refused(StatusCode::REQUEST_TIMEOUT, payload));
        };
        let Some(chunk) = chunk else {
            return Ok(body);
        };
        let Ok(chunk) = chunk else {
            return Err(refused(StatusCode::BAD_REQUEST, payload));
        };
        if body.len() + chunk.len() > limit {
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, payload));
        }
        if announced.is_none() && body.len() > KNOWN_BYTES_MAX && body.capacity() < limit {
            // Once, up to what is allowed: memory that is not written to costs nothing, while a
            // vector that grows by doubling is there twice when it moves.
            body.reserve_exact(limit - body.len());
        }
        body.extend_from_slice(&chunk);
    }
}

fn refused(status: StatusCode, rest: web::Payload) -> BodyError {
    BodyError { status, rest }
}

/// How slowly a body may come. Plain numbers: no clock.
#[derive(Debug, Clone, Copy)]
struct Pace {
    end: Instant,
    rated_from: Instant,
    bytes_per_second: u64,
}

impl Pace {
    fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            end: now + limits.body_timeout,
            rated_from: now + limits.body_grace,
            bytes_per_second: limits.body_rate_min,
        }
    }

    /// Until when the next bytes must be there, once so many came.
    fn deadline(&self, received: u64) -> Instant {
        if self.bytes_per_second == 0 {
            return self.end;
        }
        let whole = Duration::from_secs(received / self.bytes_per_second);
        let rest_ms = received % self.bytes_per_second * 1000 / self.bytes_per_second;
        let earned = whole + Duration::from_millis(rest_ms);
        let next = self.rated_from.checked_add(earned);
        next.map_or(self.end, |next| next.min(self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_body_earns_its_time_by_its_bytes_and_no_more_than_all_of_it() {
        let start = Instant::now();
        let limits = Limits {
            body_timeout: 30 * S,
            body_grace: 5 * S,
            body_rate_min: 100,
            ..Limits::default()
        };
        let pace = Pace::new(&limits, start);
        for (received, after_ms) in [
            (0, 5_000),
            (1, 5_010),
            (250, 7_500),
            (2_500, 30_000),
            (u64::MAX, 30_000),
        ] {
            let expected = start + Duration::from_millis(after_ms);
            assert_eq!(pace.deadline(received), expected, "{received} bytes");
        }
        let unrated = Limits {
            body_rate_min: 0,
            ..limits
        };
        assert_eq!(Pace::new(&unrated, start).deadline(0), start + 30 * S);
    }
}
