//! CPU time as the scheduler counts it, user and system together.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

/// Of the thread of this process that has this name.
pub(crate) fn of_thread(name: &str) -> anyhow::Result<Duration> {
    for entry in fs::read_dir("/proc/self/task")? {
        let task = entry?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == name {
            return read(&task);
        }
    }
    anyhow::bail!("no thread {name}")
}

pub(crate) fn of_this_thread() -> anyhow::Result<Duration> {
    read(Path::new("/proc/thread-self"))
}

/// Of all threads of a process.
pub(crate) fn of_process(id: u32) -> anyhow::Result<Duration> {
    let mut all = Duration::ZERO;
    for entry in fs::read_dir(format!("/proc/{id}/task"))? {
        all += read(&entry?.path())?;
    }
    Ok(all)
}

/// First field: nanoseconds on a CPU. Brought up to date whenever the thread sleeps.
fn read(task: &Path) -> anyhow::Result<Duration> {
    let path = task.join("schedstat");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let first = text
        .split_whitespace()
        .next()
        .context("schedstat is empty")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// Bytes of IP packets that were sent in this network namespace so far.
pub(crate) fn ip_bytes() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/net/netstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("IpExt:"));
    let (names, values) = lines.next().zip(lines.next()).context("no IpExt")?;
    let mut fields = names.split_whitespace().zip(values.split_whitespace());
    let (_, octets) = fields
        .find(|(name, _)| *name == "OutOctets")
        .context("no OutOctets")?;
    Ok(octets.parse()?)
}

/// Resident memory of this process.
pub(crate) fn memory_bytes() -> anyhow::Result<u64> {
    memory_bytes_of("self")
}

/// Of the process with this id.
pub(crate) fn memory_bytes_of(id: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// The machine in one line.
pub(crate) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown CPU", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// Runnable threads of the last minute: how much else was going on.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
