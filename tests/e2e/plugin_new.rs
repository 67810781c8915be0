//! `trunkline plugin new`: in each language what it writes builds, passes the kit, receives and sends at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use trunkline_simulator::{Behaviour, Simulator, sign_acme};
use trunkline_tests::built::{binary, set_mode};
use trunkline_tests::config::{Channel, Config};
use trunkline_tests::daemon::{Daemon, Output, trunkline};
use trunkline_tests::port::free_port;
use trunkline_tests::wait::{SOON, blocking, eventually};

use crate::stage::Stage;

const ADA: &str = "+15005550101";

/// A new adapter in a folder of its own, built.
struct Made {
    name: &'static str,
    folder: PathBuf,
    /// The built file.
    file: PathBuf,
    _place: TempDir,
}

impl Made {
    async fn new(name: &'static str, lang: &str) -> Self {
        let place = tempfile::Builder::new().prefix("tl-new-").tempdir();
        let place = place.expect("a temporary folder");
        let into = place.path().to_str().expect("UTF-8");
        let args = ["plugin", "new", name, "--lang", lang, "--into", into];
        let told = trunkline(&[&args[..], &["--json"]].concat()).await.ok();
        let folder = place.path().join(name);
        assert_eq!(told.json()["folder"], folder.to_str().expect("UTF-8"));
        let file = match lang {
            "rust" => build_rust(name, &folder).await,
            _ => build_c(name, &folder).await,
        };
        Self {
            name,
            folder,
            file,
            _place: place,
        }
    }

    fn lines(&self, file: &str) -> usize {
        let text = fs::read_to_string(self.folder.join(file)).expect("it was written");
        text.lines().count()
    }

    /// The second command of its README.
    async fn must_pass_the_kit(&self) {
        let file = self.file.to_str().expect("UTF-8");
        let fixtures = self.folder.join("fixtures");
        let fixtures = fixtures.to_str().expect("UTF-8");
        let told = trunkline(&["plugin", "test", file, "--fixtures", fixtures]).await;
        assert_eq!(told.code, 0, "{}", told.all());
    }

    /// The third: the adapter is tried as its author tries it.
    async fn must_be_tried(&self) {
        let mut command = Command::new("sh");
        command.arg("try.sh").current_dir(&self.folder);
        command
            .env("TRUNKLINE", binary())
            .env("PORT", free_port().to_string());
        let told = run(command).await;
        assert_eq!(told.code, 0, "{}", told.all());
        assert!(told.stdout.contains("It receives and sends."), "{told:?}");
        assert!(!told.stdout.contains("DISLIKED"), "{told:?}");
    }

    /// A daemon with it, and the simulator as its provider.
    async fn stage(&self) -> Stage {
        let simulator = Simulator::start().expect("the simulator starts");
        let acme = simulator.acme();
        let channel = Channel::new("pigeons", self.name)
            .config("token", acme.token())
            .config("api_base", acme.api_base());
        let mut daemon = Daemon::prepare(Config::new().channel(channel));
        let to = daemon.file(&format!("plugins/{}.so", self.name));
        fs::copy(&self.file, &to).expect("it can be installed");
        set_mode(&to, 0o644);
        daemon.launch().await;
        Stage { daemon, simulator }
    }
}

/// Builds in a folder beside this build's own, which keeps the dependencies for the next time; with the
/// versions that the project is locked to, as these are at hand without a network.
async fn build_rust(name: &str, folder: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::copy(project.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the versions");
    let binary = binary();
    let target = binary.ancestors().nth(2).expect("TARGET/release/trunkline");
    let target = target.join("plugin-new");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--release", "--offline", "--target-dir"]);
    command.arg(&target).current_dir(folder);
    let told = run(command).await.ok();
    assert!(!told.stderr.contains("warning"), "{told:?}");
    // Another test's build of the same folder would be in the way.
    let built = target.join(format!("release/libtrunkline_plugin_{name}.so"));
    let own = folder.join(format!("target/release/libtrunkline_plugin_{name}.so"));
    fs::create_dir_all(own.parent().expect("a folder")).expect("it can be made");
    fs::copy(built, &own).expect("it was built");
    own
}

async fn build_c(name: &str, folder: &Path) -> PathBuf {
    let mut command = Command::new("make");
    command.current_dir(folder);
    let told = run(command).await.ok();
    assert!(!told.stderr.contains("warning"), "{told:?}");
    folder.join(format!("libtrunkline_plugin_{name}.so"))
}

async fn run(mut command: Command) -> Output {
    command.env_remove("RUST_LOG").env_remove("RUSTFLAGS");
    let shown = format!("{command:?}");
    let output = blocking(move || command.output()).await;
    let output = output.unwrap_or_else(|why| panic!("{shown} can't be run: {why}"));
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Webhooks in, genuine, forged and strange; messages out, at once and behind a fault.
async fn receives_and_sends(stage: &Stage) {
    let acme = stage.simulator.acme();
    let url = stage.daemon.url("pigeons");
    stage.daemon.api().wait_health("pigeons", "healthy").await;
    for text in ["Grüße 👋 \"quoted\" \\ \n", "again, the same id"] {
        let answer = acme.inbound(&url, "m1", ADA, text).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    let message = stage.only_message(ADA).await;
    assert_eq!(message["content"]["text"], "Grüße 👋 \"quoted\" \\ \n");
    let forged = r#"{"id":"m2","from":"+15005550102","text":"forged"}"#;
    for signature in [sign_acme("another token", forged.as_bytes()), String::new()] {
        let answer = acme.deliver(&url, forged, &signature).await.unwrap();
        assert_eq!(answer.status, 401);
    }
    let strange = r#"{"event":"price_change"}"#;
    let signature = sign_acme(&acme.token(), strange.as_bytes());
    assert_eq!(
        acme.deliver(&url, strange, &signature)
            .await
            .unwrap()
            .status,
        200
    );
    stage
        .event("pigeons", "it is kept for a replay", |event| {
            event["outcome"] == "unparsed"
        })
        .await;

    acme.set_behaviour(Behaviour::status(503).times(2));
    let api = stage.daemon.api();
    let id = api.send_text("pigeons", ADA, "Ünd \"zurück\" 👋").await;
    eventually("it is sent", SOON, || async {
        let message = api.message(&id).await;
        (message["status"] == "sent").then_some(())
    })
    .await;
    let taken = acme.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(taken[0].text, "Ünd \"zurück\" 👋");
    assert_eq!(taken[0].reference.as_deref(), Some(id.as_str()));
}

#[tokio::test]
async fn a_new_adapter_in_rust_does_all_of_it_at_once() {
    let made = Made::new("pigeon_post", "rust").await;
    assert!(made.lines("src/lib.rs") < 100);
    made.must_pass_the_kit().await;
    made.must_be_tried().await;
    receives_and_sends(&made.stage().await).await;
}

#[tokio::test]
async fn a_new_adapter_in_c_does_all_of_it_at_once() {
    let made = Made::new("pigeon_loft", "c").await;
    assert!(made.lines("adapter.c") < 100);
    made.must_pass_the_kit().await;
    made.must_be_tried().await;
    receives_and_sends(&made.stage().await).await;
}

#[tokio::test]
async fn nothing_that_is_there_is_written_over() {
    let place = tempfile::tempdir().unwrap();
    let into = place.path().to_str().unwrap();
    fs::create_dir(place.path().join("taken")).unwrap();
    let told = trunkline(&["plugin", "new", "taken", "--into", into]).await;
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.stderr.contains("is there already"), "{told:?}");
    let wrong = trunkline(&["plugin", "new", "No-Id", "--into", into]).await;
    assert_eq!(wrong.code, 64, "{wrong:?}");
    let nowhere = place.path().join("no/such/folder");
    let told = trunkline(&["plugin", "new", "a", "--into", nowhere.to_str().unwrap()]).await;
    assert_eq!(told.code, 1, "{told:?}");
    let left: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
