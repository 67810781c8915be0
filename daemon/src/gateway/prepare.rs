//! From files to channels that could be started: all that can be wrong is found here, before
//! anything that runs is touched.

use std::{
    collections::BTreeMap, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration,
};

use trunkline_plugin_api::Capability;

use trunkline_host::{
    Aftermath, CallError, Isolation, OpenError, Plugin, PluginOptions, PluginSet, Quarantine,
    worker::Program,
};

use crate::{
    channel::{ChannelSpec, Unopened, isolation, opening_patience},
    config::{
        Channel, Config, ConfigErrors, Environment, Finding, PluginBuild, PluginFacts, PluginsFound,
    },
    model::{ChannelId, OrgId},
    outbound::Trust,
    tls::Pair,
};

/// A description takes a start of this executable too, on a machine that may be busy.
const DESCRIPTION_MIN: Duration = Duration::from_secs(10);

/// A configuration with the plugins it names; both checked against each other.
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// The plugins found now.
    pub plugins: PluginSet,
    /// The files that are not trusted.
    pub quarantine: Arc<Quarantine>,
    /// What a start found of the last run; empty otherwise.
    pub aftermath: Aftermath,
    /// The root certificates of `[outbound] extra_ca`.
    pub trust: Trust,
    /// The certificate of the public listener; none where it speaks plain HTTP.
    pub tls: Option<Arc<Pair>>,
    /// What works but should be looked at.
    pub warnings: Vec<Finding>,
}

/// What a configuration is prepared for.
pub(super) enum Purpose<'now> {
    /// The start of the daemon.
    Start,
    /// A reload of the daemon that has these plugins.
    Reload(&'now PluginSet, &'now Arc<Quarantine>),
    /// To look at it; copies of plugins are kept in this folder, by default the store's.
    Look(Option<&'now Path>),
}

/// Loads the configuration and the plugins and checks every channel's section against its
/// adapter's schema. Plugins are loaded from private copies below the store's folder. Blocks.
pub(super) fn prepare(file: &Path, purpose: &Purpose<'_>) -> Result<Prepared, ConfigErrors> {
    let config = Config::load(file, &Environment::of_process())?;
    let trust = Trust::load(&config.outbound.extra_ca).map_err(|message| {
        ConfigErrors(vec![Finding {
            place: config.place_of("outbound", "extra_ca"),
            key: "outbound.extra_ca".into(),
            message,
        }])
    })?;
    let tls = load_pair(&config)?;
    let state = &config.store.path;
    let ((quarantine, aftermath), state, previous) = match *purpose {
        Purpose::Start => (begin(state), state.as_path(), None),
        Purpose::Reload(previous, quarantine) => {
            let known = (quarantine.clone(), Aftermath::default());
            (known, state.as_path(), Some(previous))
        }
        Purpose::Look(folder) => {
            let seen = (Arc::new(Quarantine::look(state)), Aftermath::default());
            (seen, folder.unwrap_or(state), None)
        }
    };
    let plugins = PluginSet::scan(&plugin_options(&config, state, &quarantine), previous);
    let schema_of = |adapter: &str| {
        let plugin = plugins.get(adapter)?;
        Some(plugin.manifest().config_schema.clone())
    };
    let findings = config.check_adapters(&schema_of);
    if !findings.errors.is_empty() {
        return Err(ConfigErrors(findings.errors));
    }
    let mut warnings = config.warnings.clone();
    warnings.extend(findings.warnings);
    warnings.extend(tls.iter().flat_map(|pair| pair_warnings(&config, pair)));
    warnings.extend(open_store(&config));
    Ok(Prepared {
        config,
        plugins,
        quarantine,
        aftermath,
        trust,
        tls: tls.map(Arc::new),
        warnings,
    })
}

/// Who ended the last run is known before any plugin is loaded.
fn begin(state: &Path) -> (Arc<Quarantine>, Aftermath) {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let (quarantine, found) = Quarantine::begin(state, now_ms);
    (Arc::new(quarantine), found)
}

/// The certificate and key of `[server.tls]`, proved to belong together.
fn load_pair(config: &Config) -> Result<Option<Pair>, ConfigErrors> {
    Pair::load(&config.server.tls).map_err(|error| {
        let finding = tls_finding(config, error.key, error.words);
        ConfigErrors(vec![finding])
    })
}

fn pair_warnings(config: &Config, pair: &Pair) -> Vec<Finding> {
    let tls = &config.server.tls;
    let now_s = jiff::Timestamp::now().as_second();
    let before_s = i64::try_from(tls.warn_before.as_secs()).unwrap_or(i64::MAX);
    let ends = pair.warning(now_s, before_s);
    let ends = ends.map(|words| tls_finding(config, "certificate", words));
    let exposed = pair.is_exposed().then(|| {
        let file = tls.key.display();
        let words = format!("{file} may be read by every user of this machine: chmod 0640");
        tls_finding(config, "key", words)
    });
    ends.into_iter().chain(exposed).collect()
}

fn tls_finding(config: &Config, key: &str, message: String) -> Finding {
    Finding {
        place: config.place_at(&format!("/server/tls/{key}")),
        key: format!("server.tls.{key}"),
        message,
    }
}

/// The store's folder, where others than its owner may look into it: it holds what people write.
fn open_store(config: &Config) -> Option<Finding> {
    let mode = std::fs::metadata(&config.store.path)
        .ok()?
        .permissions()
        .mode();
    (mode & 0o007 != 0).then(|| Finding {
        place: config.place_of("store", "path"),
        key: "store.path".into(),
        message: format!(
            "{} can be read by every user of this machine (mode {:o}): chmod 0700 it",
            config.store.path.display(),
            mode & 0o7777
        ),
    })
}

pub(super) fn plugin_options(
    config: &Config,
    state: &Path,
    quarantine: &Arc<Quarantine>,
) -> PluginOptions {
    PluginOptions {
        paths: config.plugins.path.clone(),
        state: state.to_owned(),
        output_bytes_max: usize::try_from(config.plugins.output_bytes_max).unwrap_or(usize::MAX),
        pins: config.plugins.pins.clone(),
        quarantine: quarantine.clone(),
        worker: Some(Program::this()),
        call_timeout: config.plugins.call_watchdog.max(DESCRIPTION_MIN),
        memory_bytes_max: config.plugins.process_memory_max,
    }
}

/// What each loaded plugin says of itself, for the difference between two configurations.
pub(super) fn found(plugins: &PluginSet) -> PluginsFound {
    let facts = |plugin: &Plugin| PluginFacts {
        build: PluginBuild {
            version: plugin.version().to_owned(),
            sha256: plugin.sha256().to_owned(),
        },
        capabilities: plugin
            .manifest()
            .capabilities
            .iter()
            .copied()
            .map(name)
            .collect(),
        config_schema: plugin.manifest().config_schema.clone(),
    };
    plugins
        .plugins()
        .map(|plugin| (plugin.id().to_owned(), facts(plugin)))
        .collect()
}

/// A capability as manifests write it.
fn name(capability: Capability) -> String {
    let name = serde_json::to_value(capability).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

/// Opens the adapters of some channels. An adapter that refuses its section is an error of the
/// configuration; one that is missing or misbehaves leaves its channel down, with the reason.
pub(super) async fn open_channels(
    prepared: &Prepared,
    ids: impl IntoIterator<Item = &String>,
    organizations: &BTreeMap<String, OrgId>,
) -> Result<Vec<ChannelSpec>, ConfigErrors> {
    let watchdog = prepared.config.plugins.call_watchdog;
    let (mut specs, mut errors) = (Vec::new(), Vec::new());
    for id in ids {
        let Some(channel) = prepared.config.channels.get(id) else {
            continue;
        };
        let org = organizations.get(&channel.organization).copied();
        let org = org.unwrap_or(OrgId::SYSTEM);
        match open(channel, org, prepared, watchdog).await {
            Ok(spec) => specs.push(spec),
            Err(message) => errors.push(Finding {
                place: prepared.config.place(id),
                key: format!("channel.{id}.config"),
                message,
            }),
        }
    }
    if errors.is_empty() {
        Ok(specs)
    } else {
        Err(ConfigErrors(errors))
    }
}

/// Channels that take webhooks of which nothing but the provider's signature is a proof.
pub(super) fn without_token(config: &Config, specs: &[ChannelSpec]) -> Vec<Finding> {
    let bare = specs
        .iter()
        .filter(|spec| spec.has_webhook() && spec.config.webhook_tokens.is_empty());
    bare.map(|spec| Finding {
        place: config.place(spec.id.as_str()),
        key: format!("channel.{}", spec.id),
        message:
            "has no webhook_token: the provider's signature is the only proof of what comes in"
                .into(),
    })
    .collect()
}

async fn open(
    channel: &Arc<Channel>,
    org: OrgId,
    prepared: &Prepared,
    watchdog: Duration,
) -> Result<ChannelSpec, String> {
    let plugins = &prepared.plugins;
    let mut spec = ChannelSpec {
        id: ChannelId::new(&channel.id),
        org,
        config: channel.clone(),
        plugin: plugins.get(&channel.adapter),
        facts: None,
        instance: Err(plugins.why_missing(&channel.adapter)),
        unopened: None,
    };
    let Some(plugin) = spec.plugin.clone() else {
        return Ok(spec);
    };
    let held = prepared.quarantine.of_channel(plugin.sha256(), &channel.id);
    if let Some(entry) = held {
        spec.instance = Err(entry.words());
        return Ok(spec);
    }
    let isolation = isolation(channel, &prepared.config.plugins);
    match open_within(plugin, channel.clone(), isolation, watchdog).await {
        Ok((instance, facts)) => {
            spec.facts = Some(facts);
            spec.instance = Ok(instance);
        }
        Err(Opened::Refused(words)) => return Err(words),
        Err(Opened::Failed(why, words)) => {
            spec.instance = Err(words);
            spec.unopened = Some(why);
        }
    }
    Ok(spec)
}

/// Why an adapter was not opened.
enum Opened {
    Refused(String),
    Failed(Unopened, String),
}

/// Opening is plugin code: it runs on a thread that can be left behind.
async fn open_within(
    plugin: Arc<Plugin>,
    channel: Arc<Channel>,
    isolation: Isolation,
    watchdog: Duration,
) -> Result<(trunkline_host::Instance, trunkline_plugin_api::Facts), Opened> {
    let patience = opening_patience(&isolation, watchdog);
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let opened = plugin.open_in(&channel.id, channel.config.expose(), &isolation);
        // Nobody waits any more where the watchdog has bitten.
        let _ = tell.send(opened);
    });
    match tokio::time::timeout(patience, told).await {
        Ok(Ok(Ok(opened))) => Ok(opened),
        Ok(Ok(Err(OpenError::Refused { error, .. }))) => Err(Opened::Refused(error.to_string())),
        Ok(Ok(Err(OpenError::Fault {
            error: CallError::NotStarted(words),
            ..
        }))) => Err(Opened::Failed(Unopened::Shortage, words)),
        Ok(Ok(Err(error))) => Err(Opened::Failed(Unopened::Fault, error.to_string())),
        Ok(Err(_)) => {
            let words = "its thread ended while it was opened";
            Err(Opened::Failed(Unopened::Fault, words.into()))
        }
        Err(_) => {
            let words = "the plugin hung while it was opened";
            Err(Opened::Failed(Unopened::Hang, words.into()))
        }
    }
}
