//! Where the packets go: a pair of network namespaces, and in the end a neighbour that nobody is, so that a packet runs
//! the whole way of sending and is dropped first thing on the other side. Without the rights for it: loopback.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::Forward;

const SERVER_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const PUBLISHER_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const SUBSCRIBERS_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);
const DEVICE: &str = "bench0";
/// Locally administered; no interface has it.
const NOBODY: &str = "02:00:00:00:00:fe";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Site {
    #[arg(long)]
    pub(crate) server: IpAddr,
    #[arg(long)]
    pub(crate) publisher: IpAddr,
    #[arg(long)]
    pub(crate) subscribers: IpAddr,
    /// Of the clients; none: loopback.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
}

impl Site {
    /// This program again, as the clients.
    pub(crate) fn clients(&self) -> anyhow::Result<Command> {
        let own = std::env::current_exe()?;
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(own);
                command
            }
            None => Command::new(own),
        };
        command.arg("clients");
        Ok(command)
    }

    /// From now on what is sent to the subscribers reaches nobody.
    pub(crate) fn sink(&self) -> anyhow::Result<()> {
        if self.namespace.is_none() {
            return Ok(());
        }
        let address = self.subscribers.to_string();
        ip(&[
            "neigh",
            "replace",
            &address,
            "lladdr",
            NOBODY,
            "dev",
            DEVICE,
            "nud",
            "permanent",
        ])
    }

    /// They can be reached again.
    pub(crate) fn unsink(&self) -> anyhow::Result<()> {
        if self.namespace.is_none() {
            return Ok(());
        }
        ip(&["neigh", "del", &self.subscribers.to_string(), "dev", DEVICE])
    }

    pub(crate) fn describe(&self) -> &'static str {
        if self.namespace.is_some() {
            "own network namespace; each packet runs the whole way of sending over a veth pair and is dropped by the receiving stack"
        } else {
            "loopback, so each packet also pays for being received and thrown away (run it as root for the real figures)"
        }
    }
}

/// Makes a site, measures there in a process of its own, and takes it down.
pub(crate) fn run(forward: &Forward) -> anyhow::Result<()> {
    let id = std::process::id();
    let (server, clients) = (
        format!("madang-bench-{id}-a"),
        format!("madang-bench-{id}-b"),
    );
    let site = match build(&server, &clients) {
        Ok(()) => Site {
            server: SERVER_IP.into(),
            publisher: PUBLISHER_IP.into(),
            subscribers: SUBSCRIBERS_IP.into(),
            namespace: Some(clients.clone()),
        },
        Err(error) => {
            eprintln!("no network namespace ({error:#}): measuring over loopback");
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            Site {
                server: loopback,
                publisher: loopback,
                subscribers: loopback,
                namespace: None,
            }
        }
    };
    let result = measure_inside(&site, &server, forward);
    for namespace in [&server, &clients] {
        // What was never made cannot be taken down.
        ip(&["netns", "del", namespace]).ok();
    }
    result
}

fn measure_inside(site: &Site, namespace: &str, forward: &Forward) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let mut command = if site.namespace.is_some() {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(own);
        command
    } else {
        Command::new(own)
    };
    command.arg("inside");
    command.arg("--server").arg(site.server.to_string());
    command.arg("--publisher").arg(site.publisher.to_string());
    command
        .arg("--subscribers")
        .arg(site.subscribers.to_string());
    if let Some(namespace) = &site.namespace {
        command.arg("--namespace").arg(namespace);
    }
    let numbers: Vec<String> = forward.numbers.iter().map(u32::to_string).collect();
    command.arg("--numbers").arg(numbers.join(","));
    command.arg("--seconds").arg(forward.seconds.to_string());
    command.arg("--document").arg(&forward.document);
    if !command
        .status()
        .context("cannot start the measurement")?
        .success()
    {
        bail!("the measurement failed");
    }
    Ok(())
}

/// This program again, with another subcommand, in a network namespace that has nothing but loopback; it is taken down after.
pub(crate) fn alone(arguments: &[String]) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let namespace = format!("madang-bench-{}", std::process::id());
    ip(&["netns", "add", &namespace])
        .and_then(|()| ip(&["-n", &namespace, "link", "set", "lo", "up"]))
        .context("no network namespace, so other traffic would be counted: run it as root")?;
    let status = Command::new("ip")
        .args(["netns", "exec", &namespace])
        .arg(own)
        .args(arguments)
        .status();
    ip(&["netns", "del", &namespace])?;
    if !status.context("cannot start the measurement")?.success() {
        bail!("the measurement failed");
    }
    Ok(())
}

fn build(server: &str, clients: &str) -> anyhow::Result<()> {
    for namespace in [server, clients] {
        ip(&["netns", "add", namespace])?;
        ip(&["-n", namespace, "link", "set", "lo", "up"])?;
    }
    ip(&[
        "-n", server, "link", "add", DEVICE, "type", "veth", "peer", "name", DEVICE, "netns",
        clients,
    ])?;
    let prefix = |ip: Ipv4Addr| format!("{ip}/24");
    ip(&[
        "-n",
        server,
        "addr",
        "add",
        &prefix(SERVER_IP),
        "dev",
        DEVICE,
    ])?;
    ip(&[
        "-n",
        clients,
        "addr",
        "add",
        &prefix(PUBLISHER_IP),
        "dev",
        DEVICE,
    ])?;
    ip(&[
        "-n",
        clients,
        "addr",
        "add",
        &prefix(SUBSCRIBERS_IP),
        "dev",
        DEVICE,
    ])?;
    for namespace in [server, clients] {
        ip(&["-n", namespace, "link", "set", DEVICE, "up"])?;
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("the program `ip` is missing")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
