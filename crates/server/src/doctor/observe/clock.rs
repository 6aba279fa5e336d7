//! What time others have: by SNTP (RFC 4330), or by the date that a web server answers with.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::judge::Clock;
use super::network::anywhere;
use super::resolve;

const NTP_PORT: u16 = 123;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const PACKET_BYTES: usize = 48;
/// No leap warning, version 4, client.
const ASKING: u8 = 0x23;
const MODE: u8 = 0x07;
const OF_SERVER: u8 = 4;
/// From 1900 to 1970.
const NTP_EPOCH_S: u64 = 2_208_988_800;
/// Since 2036 the count begins anew (RFC 4330 §3).
const ERA_S: u64 = 1 << 32;
const HEADER_BYTES_MAX: usize = 16 * 1024;

pub(in crate::doctor) fn clock(source: Option<&str>) -> Clock {
    let Some(source) = source else {
        return Clock::NotAsked;
    };
    let asked = match source.strip_prefix("http://") {
        Some(rest) => by_http(rest),
        None => by_sntp(source),
    };
    let source = source.to_owned();
    match asked {
        Ok(ms) => Clock::Off { source, ms },
        Err(error) => Clock::NoAnswer {
            source,
            error: error.to_string(),
        },
    }
}

/// Ours minus theirs.
fn by_sntp(server: &str) -> io::Result<i64> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for server in resolve(server, NTP_PORT)? {
        match by_sntp_of(server) {
            Ok(ms) => return Ok(ms),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn by_sntp_of(server: SocketAddr) -> io::Result<i64> {
    let socket = UdpSocket::bind(SocketAddr::new(anywhere(server.is_ipv4()), 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    // It comes back as it is: what is not an answer to this very packet is nobody's.
    let mut cookie = [0; 8];
    getrandom::fill(&mut cookie).map_err(io::Error::other)?;
    let mut request = [0; PACKET_BYTES];
    request[0] = ASKING;
    request[40..].copy_from_slice(&cookie);
    let sent = SystemTime::now();
    socket.send(&request)?;
    let mut answer = [0; PACKET_BYTES];
    let bytes = socket.recv(&mut answer).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            io::Error::other("no answer")
        } else {
            error
        }
    })?;
    let got = SystemTime::now();
    let theirs = answer_of(answer.get(..bytes).unwrap_or_default(), cookie)
        .ok_or_else(|| io::Error::other("what it answers is no time"))?;
    let way = got.duration_since(sent).unwrap_or_default();
    Ok(difference_ms(sent + way / 2, theirs))
}

/// When the server sent it; none: it does not know the time, or answers somebody else.
pub(super) fn answer_of(packet: &[u8], cookie: [u8; 8]) -> Option<SystemTime> {
    let (first, stratum) = (packet.first()?, packet.get(1)?);
    let is_unset = first >> 6 == 3 || *stratum == 0;
    let is_ours = packet.get(24..32)? == cookie && first & MODE == OF_SERVER;
    if is_unset || !is_ours {
        return None;
    }
    let seconds = u64::from(u32::from_be_bytes(packet.get(40..44)?.try_into().ok()?));
    let fraction = u64::from(u32::from_be_bytes(packet.get(44..48)?.try_into().ok()?));
    let since_1900 = if seconds < ERA_S / 2 {
        seconds + ERA_S
    } else {
        seconds
    };
    let since_1970 = since_1900.checked_sub(NTP_EPOCH_S)?;
    let nanos = (fraction * 1_000_000_000) >> 32;
    Some(UNIX_EPOCH + Duration::from_secs(since_1970) + Duration::from_nanos(nanos))
}

fn by_http(rest: &str) -> io::Result<i64> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for server in resolve(host, 80)? {
        match header(server, host, path) {
            Ok((head, asked, got)) => {
                let theirs = date_of(&head).ok_or_else(|| io::Error::other("it says no date"))?;
                // The date is cut off to whole seconds.
                let way = got.duration_since(asked).unwrap_or_default();
                return Ok(difference_ms(
                    asked + way / 2,
                    theirs + Duration::from_millis(500),
                ));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn header(
    server: SocketAddr,
    host: &str,
    path: &str,
) -> io::Result<(String, SystemTime, SystemTime)> {
    let mut stream = TcpStream::connect_timeout(&server, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    let asked = SystemTime::now();
    write!(
        stream,
        "HEAD /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while head.len() < HEADER_BYTES_MAX && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => break,
            bytes => head.extend(part.get(..bytes).unwrap_or_default()),
        }
    }
    let got = SystemTime::now();
    Ok((String::from_utf8_lossy(&head).into_owned(), asked, got))
}

pub(super) fn date_of(head: &str) -> Option<SystemTime> {
    let date = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim())
    })?;
    httpdate::parse_http_date(date).ok()
}

fn difference_ms(ours: SystemTime, theirs: SystemTime) -> i64 {
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    match ours.duration_since(theirs) {
        Ok(ahead) => ms(ahead),
        Err(behind) => -ms(behind.duration()),
    }
}
