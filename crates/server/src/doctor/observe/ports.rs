//! Who holds the ports.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::super::judge::{Owner, PortSeen, PortState};
use super::network::ask_once;
use crate::config::Config;
use crate::ports::{OpenPort, Protocol, all};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// TCP_LISTEN of the kernel, as /proc writes it.
const LISTENING: &str = "0A";

pub(in crate::doctor) fn ports(config: &Config) -> Vec<PortSeen> {
    let all = all(config);
    all.into_iter()
        .map(|port| {
            let bind = port.bind(config);
            let state = state(&port, &bind.addresses, bind.is_default);
            PortSeen { port, state }
        })
        .collect()
}

fn state(port: &OpenPort, addresses: &[IpAddr], is_default: bool) -> PortState {
    // Of a range any will do: what is in use is passed over.
    if port.last.is_some() {
        return PortState::Free;
    }
    for ip in addresses {
        let address = SocketAddr::new(*ip, port.port);
        let Err(error) = try_bind(address, port.protocol) else {
            continue;
        };
        if error.kind() == io::ErrorKind::AddrInUse {
            return PortState::Held(owner(port, *ip));
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return PortState::Forbidden;
        }
        // A machine without IPv6 lacks the addresses that we chose.
        if !is_default {
            return PortState::Refused(format!("{address}: {error}"));
        }
    }
    PortState::Free
}

/// As the server does it, for a moment.
fn try_bind(address: SocketAddr, protocol: Protocol) -> io::Result<()> {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
    };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // What is left of connections that were closed keeps nobody away.
    if cfg!(unix) && protocol == Protocol::Tcp {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())
}

/// None: the system does not tell us.
fn owner(port: &OpenPort, ip: IpAddr) -> Option<Owner> {
    let mut owners = owners(port).into_iter();
    let first = owners.next();
    // Whoever shares a port with us is the one to hear of.
    let known = match first {
        Some(ours) if ours.is_madang => Some(owners.find(|owner| !owner.is_madang).unwrap_or(ours)),
        other => other,
    };
    known.or_else(|| {
        answers_as_madang(port, ip).then(|| Owner {
            program: "madang".to_owned(),
            pid: None,
            is_madang: true,
        })
    })
}

fn owners(port: &OpenPort) -> Vec<Owner> {
    let name = port.protocol.name();
    let inodes: Vec<String> = [name.to_owned(), format!("{name}6")]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/net/{table}")).ok())
        .flat_map(|table| inodes(&table, port.port, port.protocol))
        .collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let sockets: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let mut descriptors = fs::read_dir(process.path().join("fd")).ok()?.flatten();
            let holds = descriptors.any(|descriptor| {
                fs::read_link(descriptor.path())
                    .is_ok_and(|link| sockets.iter().any(|socket| link == Path::new(socket)))
            });
            holds.then(|| describe(pid, &process.path()))
        })
        .collect()
}

/// Of the sockets at that port, from a table of `/proc/net`.
pub(super) fn inodes(table: &str, port: u16, protocol: Protocol) -> Vec<String> {
    let ending = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else {
                return None;
            };
            let is_it = local.ends_with(&ending)
                && (protocol == Protocol::Udp || *state == LISTENING)
                && *inode != "0";
            is_it.then(|| (*inode).to_owned())
        })
        .collect()
}

fn describe(pid: u32, process: &Path) -> Owner {
    let name = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        // An executable that was replaced while it runs.
        Some(name.trim_end_matches(" (deleted)").to_owned())
    };
    let executable = fs::read_link(process.join("exe"))
        .ok()
        .and_then(|path| name(&path));
    let ours = std::env::current_exe().ok().and_then(|path| name(&path));
    let command = fs::read_to_string(process.join("comm")).map(|comm| comm.trim().to_owned());
    Owner {
        is_madang: executable.is_some() && executable == ours,
        program: executable
            .or(command.ok())
            .unwrap_or_else(|| "?".to_owned()),
        pid: Some(pid),
    }
}

/// Where we may not see whose it is: does it talk as our server does?
fn answers_as_madang(port: &OpenPort, ip: IpAddr) -> bool {
    let ip = if ip.is_unspecified() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        ip
    };
    let address = SocketAddr::new(ip, port.port);
    match port.protocol {
        Protocol::Udp => ask_once(address, ANSWER_TIMEOUT).is_some(),
        Protocol::Tcp if port.is_media => binding(address).is_ok(),
        Protocol::Tcp => health(address).is_ok_and(|answer| answer.contains("madang")),
    }
}

/// As a client of the relay asks by which address it is seen (RFC 8489 §6.2.2).
fn binding(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(b"\x00\x01\x00\x00\x21\x12\xa4\x42madangdoctor")?;
    let mut answer = [0; 20];
    stream.read_exact(&mut answer)?;
    if answer.starts_with(&[1, 1]) && answer.ends_with(b"madangdoctor") {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

fn health(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 1_024];
    let bytes = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..bytes).unwrap_or_default()).into_owned())
}
