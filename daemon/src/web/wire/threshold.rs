//! What every request of the public listener passes before its route: the sizes of its head, and the
//! count of what is under way on its connection.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use actix_web::{
    Error, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse},
    http::{ConnectionType, StatusCode},
    web::Bytes,
};
use futures_util::future::{Either, ready};

use super::{leaving::Leaving, line::Line};
use crate::{
    config::{Limits, Settings},
    metrics::{Metrics, Refusal},
};

/// Looks at each request.
#[derive(Clone)]
pub(super) struct Threshold {
    settings: Settings,
    metrics: Arc<Metrics>,
    leaving: Leaving,
}

impl Threshold {
    pub(super) fn new(settings: Settings, metrics: Arc<Metrics>, leaving: Leaving) -> Self {
        Self {
            settings,
            metrics,
            leaving,
        }
    }

    /// Refuses a request that is too large before anything reads it, else lets it through.
    pub(super) fn pass<S>(
        &self,
        request: ServiceRequest,
        app: &S,
    ) -> impl Future<Output = Result<ServiceResponse<Held>, Error>> + use<S>
    where
        S: Service<ServiceRequest, Response = ServiceResponse<BoxBody>, Error = Error>,
    {
        let turn = request.conn_data::<Rc<Line>>().cloned().map(Turn::begin);
        let refused = too_large(&request, &self.settings.load().server.limits);
        let answer = match refused {
            Some((status, refusal)) => {
                self.metrics.refused(refusal);
                let response = HttpResponse::build(status).force_close().finish();
                Either::Left(ready(Ok(request.into_response(response))))
            }
            None => Either::Right(app.call(request)),
        };
        let leaving = self.leaving.clone();
        async move {
            let mut answered = answer.await?;
            if leaving.has_begun() && answered.status() != StatusCode::SWITCHING_PROTOCOLS {
                let head = answered.response_mut().head_mut();
                head.set_connection_type(ConnectionType::Close);
            }
            Ok(answered.map_body(|_, body| Held { body, _turn: turn }))
        }
    }
}

/// The status of a request whose head is too large.
fn too_large(request: &ServiceRequest, limits: &Limits) -> Option<(StatusCode, Refusal)> {
    let target = request.uri().path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    if is_over(target, limits.target_bytes_max) {
        return Some((StatusCode::URI_TOO_LONG, Refusal::LongTarget));
    }
    let headers = request.headers();
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    let bytes: usize = target + bytes.sum::<usize>();
    let is_large =
        is_over(bytes, limits.head_bytes_max) || is_over(headers.len(), limits.headers_max.into());
    is_large.then_some((
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Refusal::LargeHead,
    ))
}

fn is_over(size: usize, limit: u64) -> bool {
    u64::try_from(size).is_ok_and(|size| size > limit)
}

/// One request's time on its connection.
struct Turn(Rc<Line>);

impl Turn {
    fn begin(line: Rc<Line>) -> Self {
        line.begin();
        Self(line)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.end(Instant::now());
    }
}

/// The body of an answer: while it is sent its request is under way.
pub(super) struct Held {
    body: BoxBody,
    _turn: Option<Turn>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
