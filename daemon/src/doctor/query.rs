//! What proxies do to a query: drop, decode, encode anew, sort.

use super::address::Address;

/// A longer query is only dropped, not rewritten.
const BYTES_MAX: usize = 8 * 1024;

/// Hands every other form of the query to `add`, with its cause and advice.
pub(super) fn edits(base: &Address, add: &mut dyn FnMut(&'static str, &str, Option<&str>)) {
    let Some(query) = base.query.as_deref() else {
        return;
    };
    add(
        "query",
        "the query that arrives is not in the address at the provider: keep the proxy from adding it",
        None,
    );
    if query.len() > BYTES_MAX {
        return;
    }
    let rewritten =
        "a proxy writes the query anew on its way here: have it pass the query as it is";
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let joined = |encode: &dyn Fn(&str) -> String| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    };
    let plus = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let percent = |text: &str| plus(text).replace('+', "%20");
    let mut raw: Vec<&str> = query.split('&').collect();
    raw.reverse();
    let reversed = raw.join("&");
    raw.sort_unstable();
    let forms = [
        joined(&str::to_owned),
        joined(&plus),
        joined(&percent),
        raw.join("&"),
        reversed,
        query.trim_end_matches('&').to_owned(),
    ];
    for form in &forms {
        add("query", rewritten, Some(form));
    }
}
