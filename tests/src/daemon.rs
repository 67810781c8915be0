//! The real binary with the real plugins, in a temporary folder, on free loopback ports.
//!
//! [`Daemon`] owns the folder: it can be killed, ended, reconfigured and started again on the same
//! store and the same public port. Its log is a file there, printed when a test fails.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::built::{binary, install_plugins};
use crate::config::Config;
use crate::http::Request;
use crate::port::free_port;
use crate::wait::{SOON, blocking, eventually};

/// How many lines of log a failed test prints.
const LOG_LINES_SHOWN: usize = 120;

/// A daemon under test.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    config: Config,
    child: Option<Child>,
    log_start: u64,
    environment: Vec<(String, String)>,
    public: SocketAddr,
    admin: SocketAddr,
    token: String,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| panic!("no JSON ({why}): {self:?}"))
    }

    /// Everything printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The same, where the command succeeded; else panics with what it said.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "the command failed: {self:?}");
        self
    }
}

impl Daemon {
    /// Writes the files and starts the daemon; returns when it is ready. Where the configuration
    /// names no public listener, it gets a free port and a `public_url` to match.
    pub async fn start(config: Config) -> Self {
        let mut daemon = Self::prepare(config);
        daemon.launch().await;
        daemon
    }

    /// Only writes the files, for commands that need no running daemon.
    pub fn prepare(mut config: Config) -> Self {
        let folder = tempfile::Builder::new().prefix("trunkline-test-").tempdir();
        let folder = folder.expect("the temporary folder can be written");
        let path = folder.path();
        if config.get("server.listen").is_none() {
            let port = free_port();
            config = config.set("server.listen", format!("127.0.0.1:{port}"));
            if config.get("server.public_url").is_none() {
                config = config.set("server.public_url", format!("http://127.0.0.1:{port}"));
            }
        }
        let text = |name: &str| path.join(name).to_string_lossy().into_owned();
        if config.get("admin.listen").is_none() {
            config = config.set("admin.listen", "127.0.0.1:0");
        }
        config = config.set("admin.socket", text("admin.sock"));
        if config.get("store.path").is_none() {
            config = config.set("store.path", text("store"));
        }
        config = config.set("plugins.path", vec![text("plugins")]);
        install_plugins(&path.join("plugins"));
        config
            .write(path)
            .expect("the configuration can be written");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            folder,
            config,
            child: None,
            log_start: 0,
            environment: Vec::new(),
            public: nowhere,
            admin: nowhere,
            token: String::new(),
        }
    }

    /// Sets a variable for the process that is started next.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Starts the prepared or stopped daemon and waits until it is ready.
    pub async fn launch(&mut self) {
        self.spawn();
        self.wait_ready().await;
        if self.token.is_empty() {
            self.token = self.create_token("owner").await;
        }
    }

    /// Starts the process and returns at once.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the daemon is already running");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("the log can be opened");
        self.log_start = log.metadata().map_or(0, |meta| meta.len());
        let errors = log.try_clone().expect("a file handle can be cloned");
        let mut command = self.command(&["run"]);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(log).stderr(errors).spawn();
        self.child = Some(child.expect("the daemon can be started"));
    }

    /// Starts the process with listening sockets, as systemd passes them; `names` is `LISTEN_FDNAMES`.
    pub fn spawn_with_sockets(&mut self, public: TcpListener, admin: TcpListener, names: &str) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("the log can be opened");
        self.log_start = log.metadata().map_or(0, |meta| meta.len());
        // The shell becomes the daemon, and so has the process id that it writes down.
        let script =
            "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" run -c \"$1\" 3<&0 4<&2 0</dev/null 2>&1";
        let child = Command::new("sh")
            .args(["-c", script])
            .args([binary().as_os_str(), self.config_file().as_os_str()])
            .env("LISTEN_FDNAMES", names)
            .env_remove("RUST_LOG")
            .stdin(OwnedFd::from(public))
            .stderr(OwnedFd::from(admin))
            .stdout(log)
            .spawn();
        self.child = Some(child.expect("the daemon can be started"));
    }

    /// Waits for the `ready` line and for `/readyz`.
    pub async fn wait_ready(&mut self) {
        let started = Instant::now();
        let (public, admin) = loop {
            if let Some(addresses) = self.ready_line() {
                break addresses;
            }
            if let Some(status) = self.exited() {
                panic!("the daemon ended before it was ready: {status}");
            }
            assert!(
                started.elapsed() < SOON * 3,
                "the daemon is not ready after {:?}",
                SOON * 3
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        (self.public, self.admin) = (public, admin);
        eventually("/readyz answers 200", SOON, || async {
            let reply = Request::new("GET", "/readyz").send(admin).await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await;
    }

    /// The addresses in this run's `ready` line, once it is there.
    fn ready_line(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.log().lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let fields = line.get("fields").unwrap_or(&line);
            let text = |name: &str| fields.get(name).or_else(|| line.get(name))?.as_str();
            (text("message")? == "ready")
                .then(|| Some((text("public")?.parse().ok()?, text("admin")?.parse().ok()?)))?
        })
    }

    /// The exit status, where the process has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        child.try_wait().expect("the daemon's state can be read")
    }

    /// Ends the process at once, as a crash would.
    pub async fn kill9(&mut self) {
        self.signal("KILL");
        self.wait_exit(SOON).await;
    }

    /// Asks the process to end, and waits for it.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_exit(SOON * 2).await
    }

    /// Waits for the process to end.
    pub async fn wait_exit(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                self.child = None;
                return status;
            }
            assert!(
                started.elapsed() < limit,
                "the daemon has not ended after {limit:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it in order and starts it again on the same folder.
    pub async fn restart(&mut self) {
        let status = self.terminate().await;
        assert!(status.success(), "a stop in order ended with {status}");
        self.launch().await;
    }

    /// Sends a signal by its short name (`HUP`, `STOP`, `KILL`).
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "can't signal {pid}"
        );
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the daemon is running").id()
    }

    /// Replaces the configuration's files; the daemon does not know until it is told to reload.
    pub fn rewrite(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.config
            .write(self.folder.path())
            .expect("the configuration can be written");
    }

    /// Runs `trunkline ARGS.. -c FILE`.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        blocking(move || output(&mut command)).await
    }

    /// Runs `trunkline ARGS.. -c FILE`, which must exit 0.
    pub async fn cli_ok(&self, args: &[&str]) -> Output {
        self.cli(args).await.ok()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(args).arg("-c").arg(self.config_file());
        command.stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    /// Makes a token of a role by the command line.
    pub async fn create_token(&self, role: &str) -> String {
        let made = self
            .cli(&[
                "token", "create", "--role", role, "--name", "test", "--json",
            ])
            .await;
        made.ok().json()["token"]
            .as_str()
            .expect("the token is text")
            .to_owned()
    }

    /// The admin API with the owner's token.
    pub fn api(&self) -> Api {
        Api::new(self.admin, &self.token)
    }

    /// The public listener.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// The admin listener.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Path and token of a channel's webhook.
    pub fn path(&self, channel: &str) -> String {
        self.config.find(channel).path()
    }

    /// The address of a channel's webhook as the provider knows it.
    pub fn url(&self, channel: &str) -> String {
        let public_url = self
            .config
            .get("server.public_url")
            .expect("a public URL is set");
        format!("{public_url}{}", self.path(channel))
    }

    /// The configuration as it was last written.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The main configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("trunkline.toml")
    }

    /// A path in the daemon's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        PathBuf::from(
            self.config
                .get("store.path")
                .expect("the store's path is set"),
        )
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// The log since the last start.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        let start = usize::try_from(self.log_start)
            .unwrap_or_default()
            .min(bytes.len());
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Already ended is as good as killed.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.log_path()).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!(
                "--- the daemon's log, its last lines ---\n{}\n---",
                shown.join("\n")
            );
        }
    }
}

/// Runs `trunkline` with nothing but these arguments.
pub async fn trunkline(args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command
        .args(args)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG");
    blocking(move || output(&mut command)).await
}

fn output(command: &mut Command) -> Output {
    let output = command.output().expect("the binary can be run");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
