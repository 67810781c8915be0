//! The API under `/api/v1`. Lists are `{"items", "next"}`; errors are problem+json.

mod audit;
mod backfill;
mod backup;
mod channels;
mod consents;
mod contacts;
mod doctor;
mod erasures;
mod events;
mod exchange;
mod export;
mod health;
mod links;
mod log;
mod marks;
mod media;
mod messages;
mod notifications;
mod orphans;
mod outbox;
mod overview;
mod paging;
mod plugins;
mod retention;
mod session;
mod shapes;
mod system;
mod templates;
mod threads;
mod tokens;
mod users;
mod windows;

use actix_web::web::{ServiceConfig, delete, get, post, put};

pub(super) use links::link;
pub(super) use system::metrics;

/// What concerns people's data: who changed what, how long things are kept, and that they go.
fn privacy(config: &mut ServiceConfig) {
    config
        .route("/audit", get().to(audit::list))
        .route("/audit/verify", get().to(audit::verify))
        .route("/contacts/{id}/erase", post().to(erasures::erase))
        .route("/contacts/{id}/erasure", get().to(erasures::show))
        .route("/contacts/{id}/export", get().to(export::contact))
        .route("/erasures", get().to(erasures::list))
        .route("/retention", get().to(retention::preview))
        .route("/retention", post().to(retention::run))
        .route("/store/compact", get().to(erasures::compaction))
        .route("/store/compact", post().to(erasures::compact));
}

/// Every route of the API.
pub(super) fn routes(config: &mut ServiceConfig) {
    privacy(config);
    config
        .route("/backup", get().to(backup::stream))
        .route("/channels", get().to(channels::list))
        .route("/channels/{id}", get().to(channels::show))
        .route("/channels/{id}/enable", post().to(channels::enable))
        .route("/channels/{id}/disable", post().to(channels::disable))
        .route("/channels/{id}/test", post().to(channels::test))
        .route("/channels/{id}/health", get().to(health::history))
        .route("/channels/{id}/backfill", post().to(backfill::fill))
        .route("/channels/{id}/link", get().to(links::show))
        .route(
            "/channels/{id}/templates/refresh",
            post().to(templates::refresh),
        )
        .route("/channels/{id}/doctor", post().to(doctor::examine))
        .route("/contacts", get().to(contacts::list))
        .route("/contacts/{id}", get().to(contacts::show))
        .route("/contacts/{id}/timeline", get().to(contacts::timeline))
        .route("/contacts/{id}/merge", post().to(contacts::merge))
        .route("/contacts/{id}/unmerge", post().to(contacts::unmerge))
        .route("/contacts/{id}/consents", get().to(contacts::consents))
        .route("/consents", get().to(consents::list))
        .route("/consents", post().to(consents::set))
        .route("/consents/export", get().to(consents::export))
        .route("/threads", get().to(threads::list))
        .route("/threads/{id}", get().to(threads::show))
        .route("/threads/{id}/messages", get().to(threads::messages))
        .route("/threads/{id}/turns", get().to(threads::turns))
        .route("/threads/{id}/takeover", post().to(threads::take_over))
        .route("/threads/{id}/release", post().to(threads::release))
        .route("/threads/{id}/close", post().to(threads::close))
        .route("/threads/{id}/read", post().to(marks::read))
        .route("/threads/{id}/typing", post().to(marks::typing))
        .route("/threads/{id}/presence", get().to(marks::presence))
        .route("/messages", post().to(messages::send))
        .route("/messages/preview", post().to(messages::preview))
        .route("/messages/{id}", get().to(messages::show))
        .route("/templates", get().to(templates::list))
        .route("/templates/preview", post().to(templates::preview))
        .route("/media", post().to(media::upload))
        .route("/media/{sha256}", get().to(media::download))
        .route("/webhook-events", get().to(events::list))
        .route("/webhook-events/{id}/replay", post().to(events::replay))
        .route("/orphans", get().to(orphans::list))
        .route("/outbox", get().to(outbox::list))
        .route("/outbox/retry", post().to(outbox::retry_all))
        .route("/outbox/discard", post().to(outbox::discard_all))
        .route("/outbox/{id}/retry", post().to(outbox::retry))
        .route("/outbox/{id}/discard", post().to(outbox::discard))
        .route("/notifications", get().to(notifications::list))
        .route(
            "/notifications/acknowledge",
            post().to(notifications::acknowledge_all),
        )
        .route(
            "/notifications/{id}/acknowledge",
            post().to(notifications::acknowledge),
        )
        .route("/tokens", get().to(tokens::list))
        .route("/tokens", post().to(tokens::create))
        .route("/tokens/{id}", delete().to(tokens::revoke))
        .route("/users", get().to(users::list))
        .route("/users", post().to(users::create))
        .route("/users/{user}", post().to(users::change))
        .route("/users/{user}", delete().to(users::remove))
        .route("/session", get().to(session::show))
        .route("/session", post().to(session::begin))
        .route("/session", delete().to(session::end))
        .route("/store", get().to(system::store))
        .route("/plugins", get().to(plugins::list))
        .route("/plugins/{id}", get().to(plugins::show))
        .route("/plugins/{id}/release", post().to(plugins::release))
        .route("/overview", get().to(overview::show))
        .route("/log-level", get().to(log::show))
        .route("/log-level", put().to(log::change))
        .route("/reload", get().to(system::plan))
        .route("/export", get().to(exchange::export))
        .route("/import", post().to(exchange::import))
        .route("/reload", post().to(system::reload));
}
