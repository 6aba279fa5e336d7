//! The servers that are measured, each a process of its own: coturn, and our media threads without the rest of the program.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use super::client;
use crate::cpu;

const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const COTURN_PORT: u16 = 3_478;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// What our own says when it runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) accounts: Vec<Account>,
}

/// Ends with it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    accounts: Vec<Account>,
    process: Child,
    folder: Option<PathBuf>,
}

impl Server {
    /// As Debian has it, with one thread that relays.
    pub(super) fn coturn() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("madang-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let file = |name: &str| folder.join(name).display().to_string();
        let process = Command::new("turnserver")
            .args(["-n", "-c", "/dev/null", "--no-tls", "--no-dtls", "--no-cli"])
            .args(["--no-stdout-log", "--simple-log", "-m", "1"])
            .arg(format!("--log-file={}", file("log")))
            .arg(format!("--pidfile={}", file("pid")))
            .arg(format!("--userdb={}", file("users")))
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1"])
            .arg(format!("--listening-port={COTURN_PORT}"))
            .args(["--lt-cred-mech", "--user=u:p", "--realm=r"])
            .args([
                "--allow-loopback-peers",
                "--min-port=20000",
                "--max-port=60000",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start turnserver (Debian: apt install coturn)")?;
        let server = Self {
            address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), COTURN_PORT),
            accounts: vec![Account {
                username: "u".to_owned(),
                password: "p".to_owned(),
            }],
            process,
            folder: Some(folder),
        };
        server.wait()?;
        Ok(server)
    }

    /// This program again, with another subcommand that says how it is reached.
    pub(super) fn ours(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("turn-server")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let words = process.stdout.take().context("piped")?;
        let mut line = String::new();
        BufReader::new(words).read_line(&mut line)?;
        let Running { address, accounts } =
            serde_json::from_str(&line).context("our own server did not start")?;
        let server = Self {
            address,
            accounts,
            process,
            folder: None,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        while !client::answers(self.address)? {
            if start.elapsed() > PATIENCE {
                bail!("the server at {} does not answer", self.address);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(())
    }

    /// Neighbours are in one room.
    pub(super) fn account(&self, number: u32) -> anyhow::Result<&Account> {
        let place = usize::try_from(number)? % self.accounts.len().max(1);
        self.accounts.get(place).context("no account")
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Of all its threads.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu::of_process(self.id())
    }

    pub(super) fn memory_bytes(&self) -> anyhow::Result<u64> {
        cpu::memory_bytes_of(&self.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        self.process.kill().ok();
        self.process.wait().ok();
        if let Some(folder) = &self.folder {
            std::fs::remove_dir_all(folder).ok();
        }
    }
}
