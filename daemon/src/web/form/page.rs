//! The pages of a form. No script: they work in whatever shows HTML.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;
use uuid::Uuid;

use super::submission::{Faults, Submission};
use crate::config::{Form, FormField};

const STYLE: &str = include_str!("../../../templates/form/form.css");
/// Nothing but our own style and our own form, in no other site's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "form/page.html")]
struct Page<'a> {
    form: &'a Form,
    base: &'a str,
    slug: &'a str,
    nonce: Uuid,
    fields: Vec<Field<'a>>,
    fault: Option<&'a str>,
}

struct Field<'a> {
    name: &'static str,
    label: &'a str,
    kind: &'static str,
    autocomplete: &'static str,
    value: &'a str,
    required: bool,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "form/done.html")]
struct Done<'a> {
    form: &'a Form,
    base: &'a str,
    link: Option<String>,
}

/// Where forms are, as their pages name it: the path of `public_url` before it.
pub(super) struct Place<'a> {
    pub(super) base: &'a str,
    pub(super) slug: &'a str,
}

/// The form, as far as it was filled in and with what is wrong.
pub(super) fn form(
    place: &Place<'_>,
    form: &Form,
    submission: &Submission,
    faults: &Faults,
) -> HttpResponse {
    let status = if faults.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    shown(status, place, form, submission, faults, None)
}

/// The form as it was filled in, and why it was not taken now.
pub(super) fn refused(
    status: StatusCode,
    place: &Place<'_>,
    form: &Form,
    submission: &Submission,
    fault: &str,
) -> HttpResponse {
    shown(status, place, form, submission, &Faults::new(), Some(fault))
}

fn shown(
    status: StatusCode,
    place: &Place<'_>,
    form: &Form,
    submission: &Submission,
    faults: &Faults,
    fault: Option<&str>,
) -> HttpResponse {
    let fields = form.fields.iter().map(|field| {
        let (kind, autocomplete) = match field {
            FormField::Name => ("text", "name"),
            FormField::Phone => ("tel", "tel"),
            FormField::Email => ("email", "email"),
            FormField::Message => ("text", "off"),
        };
        let name = field.as_str();
        Field {
            name,
            label: form.label(name),
            kind,
            autocomplete,
            value: submission.value(name),
            required: form.required.contains(field),
            fault: faults.get(name).copied(),
        }
    });
    let page = Page {
        form,
        base: place.base,
        slug: place.slug,
        nonce: submission.nonce(),
        fields: fields.collect(),
        fault,
    };
    html(status, &page)
}

/// What stands there after a form was sent.
pub(super) fn done(place: &Place<'_>, form: &Form, link: Option<String>) -> HttpResponse {
    let base = place.base;
    html(StatusCode::OK, &Done { form, base, link })
}

/// The style of all forms.
pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(STYLE)
}

fn html(status: StatusCode, page: &impl Template) -> HttpResponse {
    match page.render() {
        Ok(html) => HttpResponse::build(status)
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(error) => {
            tracing::error!(event = "form_page_failed", %error, "a form's page could not be made");
            HttpResponse::InternalServerError().finish()
        }
    }
}
