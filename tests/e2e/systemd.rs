//! What the service manager is told, and the sockets that it passes.

use std::net::TcpListener;

use trunkline_simulator::Simulator;
use trunkline_tests::config::Config;
use trunkline_tests::daemon::Daemon;
use trunkline_tests::http::Request;
use trunkline_tests::systemd::Manager;
use trunkline_tests::twilio::Sms;
use trunkline_tests::wait::{SOON, eventually};

use crate::stage::{SMS, Stage, twilio};

const ADA: &str = "+15005550101";

/// A daemon that is prepared and not started, with a manager that it will tell.
fn prepared(config: impl FnOnce(&Simulator) -> Config) -> (Daemon, Simulator, Manager) {
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = Daemon::prepare(config(&simulator));
    let folder = daemon.file("");
    let manager = Manager::listen(&folder);
    daemon.set_env("NOTIFY_SOCKET", manager.address());
    (daemon, simulator, manager)
}

#[tokio::test]
async fn the_manager_hears_ready_reloads_status_beats_and_the_stop() {
    let (mut daemon, simulator, mut manager) =
        prepared(|simulator| Config::new().channel(twilio(SMS, simulator)));
    daemon.set_env("WATCHDOG_USEC", "800000");
    daemon.spawn();
    manager.wait("READY=1", 1).await;
    // What is told to be ready serves, without any waiting.
    daemon.wait_ready().await;
    manager.wait("WATCHDOG=1", 8).await;
    manager.wait("STATUS=1 channel ", 1).await;
    eventually("the channel is told to be up", SOON, || {
        let up = manager.count("STATUS=1 channel up; nothing waits to be sent");
        async move { (up > 0).then_some(()) }
    })
    .await;
    assert_eq!(manager.count("RELOADING=1"), 0);

    daemon.cli_ok(&["reload"]).await;
    manager.wait("READY=1", 2).await;
    daemon.signal("HUP");
    manager.wait("READY=1", 3).await;
    let order: Vec<String> = manager
        .lines()
        .iter()
        .map(|(_, line)| line.split('=').next().unwrap_or_default().to_owned())
        .filter(|word| ["READY", "RELOADING", "MONOTONIC_USEC"].contains(&word.as_str()))
        .collect();
    let reload = ["RELOADING", "MONOTONIC_USEC", "READY"];
    assert_eq!(order, [&["READY"][..], &reload, &reload].concat());

    assert_eq!(daemon.terminate().await.code(), Some(0));
    assert_eq!(manager.count("STOPPING=1"), 1);
    drop(simulator);
}

#[tokio::test]
async fn without_a_watchdog_there_are_no_beats() {
    let (mut daemon, _simulator, mut manager) =
        prepared(|simulator| Config::new().channel(twilio(SMS, simulator)));
    daemon.launch().await;
    manager.wait("STATUS=1 channel up", 1).await;
    assert_eq!(manager.count("WATCHDOG"), 0);
}

#[tokio::test]
async fn passed_sockets_are_used_in_place_of_those_of_the_configuration() {
    let simulator = Simulator::start().expect("the simulator starts");
    let mut daemon = Daemon::prepare(Config::new().channel(twilio(SMS, &simulator)));
    let bind = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (public, admin) = (bind(), bind());
    let addresses = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    let kept = public.try_clone().unwrap();
    daemon.spawn_with_sockets(public, admin, "public:admin");
    daemon.wait_ready().await;
    assert_eq!((daemon.public(), daemon.admin()), addresses);
    let stage = Stage { daemon, simulator };
    assert_eq!(
        stage
            .deliver(SMS, &Sms::new(ADA, "by a passed socket"))
            .await,
        200
    );

    // Who connects while nobody serves waits for the next daemon.
    let Stage {
        mut daemon,
        simulator,
    } = stage;
    assert_eq!(daemon.terminate().await.code(), Some(0));
    let waiting =
        tokio::spawn(async move { Request::new("GET", "/healthz").send(addresses.0).await });
    daemon.spawn_with_sockets(kept, bind(), "public:admin");
    daemon.wait_ready().await;
    let reply = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(reply.expect("it was served").status, 200);
    drop(simulator);
}

#[tokio::test]
async fn sockets_that_are_of_no_use_are_refused_in_words() {
    for (names, said) in [
        ("public:other", "named \\\"other\\\""),
        ("public:public", "two sockets"),
    ] {
        let mut daemon = Daemon::prepare(Config::new());
        let bind = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        daemon.spawn_with_sockets(bind(), bind(), names);
        assert_eq!(daemon.wait_exit(SOON).await.code(), Some(1));
        let log = daemon.log();
        assert!(log.contains(&said.replace('\\', "")), "{log}");
    }
    let mut daemon = Daemon::prepare(Config::new());
    let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listening = TcpListener::bind("127.0.0.1:0").expect("a free port");
    daemon.spawn_with_sockets(listening, deaf.into(), "public:admin");
    assert_eq!(daemon.wait_exit(SOON).await.code(), Some(1));
    let log = daemon.log();
    assert!(
        log.contains("does not listen") || log.contains("not a TCP socket"),
        "{log}"
    );
}
