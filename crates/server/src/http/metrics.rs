//! Prometheus' text format. Totals end in `_total`; everything else is how it is now, and goes back to zero.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use tokio::time::timeout;

use super::Shared;

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A shard that does not answer by then has something to do that is more important, or is stuck.
const SHARDS_TIMEOUT: Duration = Duration::from_secs(2);
/// Names in the core of what is now, not a total.
const GAUGE_SUFFIX: &str = "_now";

pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let mut page = Page::default();
    let counters = timeout(SHARDS_TIMEOUT, shared.media.counters()).await;
    page.gauge("shards_silent", "", u64::from(counters.is_err()));
    for (shard, core, path) in counters.unwrap_or_default() {
        let label = format!("{{shard=\"{}\"}}", shard.0);
        for (name, value) in core.each() {
            page.add("", name, &label, value);
        }
        for (name, value) in path.each() {
            page.add("path_", name, &label, value);
        }
    }
    let relayed = timeout(SHARDS_TIMEOUT, shared.media.relay_counters()).await;
    for (shard, counters) in relayed.unwrap_or_default() {
        let label = format!("{{shard=\"{}\"}}", shard.0);
        for (name, value) in counters.each() {
            page.add("turn_", name, &label, value);
        }
    }
    let totals = shared.directory.totals();
    for (name, value) in [
        ("directory_rooms", totals.rooms),
        ("directory_rooms_mesh", totals.mesh),
        ("directory_rooms_sfu", totals.sfu),
        ("directory_members", totals.members),
        ("directory_seats", totals.seats),
        ("tasks", tasks(&shared)),
    ] {
        page.gauge(name, "", u64::try_from(value).unwrap_or(u64::MAX));
    }
    page.gauge("uptime_seconds", "", shared.started.elapsed().as_secs());
    let certificate = shared
        .tls
        .as_ref()
        .and_then(|tls| tls.certificates().shown());
    if let Some(certificate) = certificate {
        for (name, time) in [
            ("certificate_valid_from_seconds", certificate.valid_from),
            ("certificate_valid_until_seconds", certificate.valid_until),
        ] {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            page.gauge(name, "", since.as_secs());
        }
    }
    for (name, is_total, value) in shared.stats.each() {
        if is_total {
            page.total(name, "", value);
        } else {
            page.gauge(name, "", value);
        }
    }
    ([(CONTENT_TYPE, FORMAT)], page.text()).into_response()
}

/// Of sessions and their carriers. Connections are `sockets`.
fn tasks(shared: &Shared) -> usize {
    shared.tasks.sessions.len() + shared.tasks.carriers.len()
}

/// All lines of a metric must be together.
#[derive(Debug, Default)]
struct Page(BTreeMap<String, Metric>);

#[derive(Debug, Default)]
struct Metric {
    is_total: bool,
    lines: String,
}

impl Page {
    fn add(&mut self, prefix: &str, name: &str, label: &str, value: u64) {
        match name.strip_suffix(GAUGE_SUFFIX) {
            Some(name) => self.gauge(&format!("{prefix}{name}"), label, value),
            None => self.total(&format!("{prefix}{name}"), label, value),
        }
    }

    fn gauge(&mut self, name: &str, label: &str, value: u64) {
        self.line(format!("madang_{name}"), false, label, value);
    }

    fn total(&mut self, name: &str, label: &str, value: u64) {
        self.line(format!("madang_{name}_total"), true, label, value);
    }

    fn line(&mut self, name: String, is_total: bool, label: &str, value: u64) {
        let line = format!("{name}{label} {value}\n");
        let metric = self.0.entry(name).or_default();
        metric.is_total = is_total;
        metric.lines.push_str(&line);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, metric) in &self.0 {
            let kind = if metric.is_total { "counter" } else { "gauge" };
            writeln!(text, "# TYPE {name} {kind}").expect("writing to a string");
            text.push_str(&metric.lines);
        }
        text
    }
}
