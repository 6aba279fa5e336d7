//! What the system gives, and where we are.

use std::fs;
use std::path::Path;

use super::super::judge::{Buffers, Descriptors};
use crate::media::{SOCKET_BUFFER_BYTES, socket_buffers};

pub(in crate::doctor) fn buffers() -> Option<Buffers> {
    let (receive, send) = socket_buffers().ok()?;
    let limit = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/core/{name}")).ok()?;
        text.trim().parse::<usize>().ok()
    };
    Some(Buffers {
        wanted: SOCKET_BUFFER_BYTES,
        receive: receive.min(limit("rmem_max").unwrap_or(receive)),
        send: send.min(limit("wmem_max").unwrap_or(send)),
    })
}

/// `server`: the one that runs.
pub(in crate::doctor) fn descriptors(
    server: Option<u32>,
    connections_max: u32,
) -> Option<Descriptors> {
    let of_server = server.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/limits")).ok());
    let is_of_server = of_server.is_some();
    let limits = of_server.or_else(|| fs::read_to_string("/proc/self/limits").ok())?;
    Some(Descriptors {
        max: open_files_max(&limits)?,
        connections_max,
        is_of_server,
    })
}

/// The soft limit, from `/proc/…/limits`.
pub(super) fn open_files_max(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let rest = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = rest.split_whitespace().next()?;
    if soft == "unlimited" {
        return Some(u64::MAX);
    }
    soft.parse().ok()
}

/// Whose container we are in.
pub(in crate::doctor) fn container() -> Option<&'static str> {
    if Path::new("/.dockerenv").exists() {
        return Some("Docker");
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("Podman");
    }
    let is_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    is_pod.then_some("Kubernetes")
}
