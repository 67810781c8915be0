//! What a reload would do.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::{TOKEN, Written};
use crate::config::{
    AdapterSection, Channel, ChannelConsent, Coalesce, Config, Cost, Inbound, PluginBuild,
    PluginFacts, PluginsFound, RefusedPlugin, ReloadPlan, Text, WebhookToken,
};

fn plugins(of: &[(&str, &str)]) -> PluginsFound {
    let facts = |hash: &str| PluginFacts {
        build: PluginBuild {
            version: format!("0.{hash}.0"),
            sha256: hash.repeat(64),
        },
        ..PluginFacts::default()
    };
    let found = of.iter().map(|(id, hash)| ((*id).into(), facts(hash)));
    found.collect()
}

#[test]
fn each_change_has_its_consequence() {
    let old = Written::new(
        "[server]\ndrain = \"1s\"\n\
         [channel.gone]\nadapter = \"x\"\n[channel.kept]\nadapter = \"x\"\n\
         [channel.named]\nadapter = \"x\"\n[channel.turned]\nadapter = \"x\"\n[channel.turned.config]\nkey = \"a\"\nsame = 1\n\
         [channel.upgraded]\nadapter = \"y\"\n",
    )
    .valid();
    let new = Written::new(
        "[server]\ndrain = \"2s\"\nlisten = \"127.0.0.1:1\"\n[organization.default.cost]\ndaily_segments = 9\n[store]\npath = \"/srv\"\n\
         [channel.begun]\nadapter = \"x\"\n[channel.kept]\nadapter = \"x\"\n\
         [channel.named]\nadapter = \"x\"\ndisplay_name = \"N\"\nenabled = false\n\
         text.long = \"split\"\ncost.daily_segments = 5\n\
         [channel.turned]\nadapter = \"x\"\nallow_private = true\n[channel.turned.config]\nkey = \"b\"\nsame = 1\nmore.deep = 1\n\
         [channel.upgraded]\nadapter = \"y\"\n",
    )
    .valid();
    let plan = ReloadPlan::between(&old, &new, &plugins(&[("y", "1")]), &plugins(&[("y", "2")]));
    assert_eq!(
        plan.to_string(),
        "start    begun\n\
         stop     gone\n\
         restart  turned (allow_private, config.key, config.more)\n\
         restart  upgraded (plugin y changed)\n\
         update   named (display_name, enabled, text, cost)\n\
         keep     kept\n\
         apply    organization.default, server.drain\n\
         waits for a restart of the daemon: server.listen, store.path\n\
         plugin   y 0.1.0 (111111111111) -> 0.2.0 (222222222222)\n           \
         channels that restart for it: upgraded"
    );
    assert!(!plan.is_empty());
    let same = ReloadPlan::between(&new, &new, &plugins(&[]), &plugins(&[]));
    assert!(
        same.is_empty() && same.to_string().ends_with("nothing changes"),
        "{same}"
    );
}

#[test]
fn plugins_come_and_go() {
    let config = Written::new("[channel.a]\nadapter = \"x\"\n").valid();
    for (old, new, why) in [
        (&[][..], &[("x", "1")][..], "plugin x is there now"),
        (&[("x", "1")], &[], "plugin x is gone"),
        (&[("x", "1")], &[("x", "2")], "plugin x changed"),
    ] {
        let plan = ReloadPlan::between(&config, &config, &plugins(old), &plugins(new));
        assert_eq!(plan.restart["a"], [why]);
    }
}

#[test]
fn words_and_json_agree() {
    let config = Written::new("[channel.a]\nadapter = \"x\"\n").valid();
    let (mut old, mut new) = (
        plugins(&[("x", "1"), ("z", "1")]),
        plugins(&[("x", "2"), ("w", "1")]),
    );
    old.get_mut("x").unwrap().capabilities = vec!["probe".into()];
    old.get_mut("x").unwrap().config_schema =
        json!({"properties": {"from": {}, "b": {"type": "string"}}});
    new.get_mut("x").unwrap().capabilities = vec!["fetch_media".into()];
    new.get_mut("x").unwrap().config_schema =
        json!({"properties": {"sender": {}, "b": {"type": "integer"}}, "required": ["sender"]});
    let mut plan = ReloadPlan::between(&config, &config, &old, &new);
    plan.refused.push(RefusedPlugin {
        path: "/p/bad.so".into(),
        id: None,
        reason: "is cut short".into(),
    });
    let words = "\
restart  a (plugin x changed)
plugin   w 0.1.0 (111111111111) is new
plugin   x 0.1.0 (111111111111) -> 0.2.0 (222222222222)
           calls that are new: fetch_media
           calls that are gone: probe
           keys that are new: sender
           keys that are gone: from
           keys that take something else: b
           keys that must be given now: sender
           channels that restart for it: a
plugin   z 0.1.0 (111111111111) goes
refuse   /p/bad.so: is cut short";
    assert_eq!(plan.to_string(), words);
    let shown = plan.as_json();
    assert_eq!(shown["summary"], words);
    assert_eq!(shown["restart"], json!({"a": ["plugin x changed"]}));
    let change = &shown["plugins"][1];
    assert_eq!(
        change["from"],
        json!({"version": "0.1.0", "sha256": "1".repeat(64)})
    );
    assert_eq!(change["to"]["version"], "0.2.0");
    assert_eq!(change["keys_added"], json!(["sender"]));
    assert_eq!(change["channels"], json!(["a"]));
    assert_eq!(
        shown["refused"],
        json!([{"path": "/p/bad.so", "id": null, "reason": "is cut short"}])
    );
}

#[test]
fn a_channel_that_would_be_kept_can_be_started_anew() {
    let config = Written::new("[channel.a]\nadapter = \"x\"\n").valid();
    let none = PluginsFound::new();
    let mut plan = ReloadPlan::between(&config, &config, &none, &none);
    plan.force_restart("a", "again".into());
    assert_eq!(
        (plan.keep.len(), &plan.restart["a"]),
        (0, &vec!["again".to_owned()])
    );
    plan.force_restart("a", "twice".into());
    plan.force_restart("b", "unknown".into());
    assert_eq!(plan.restart.len(), 1);
    assert_eq!(plan.restart["a"], ["again"]);
}

fn any_channel(id: &'static str) -> impl Strategy<Value = Channel> {
    (
        prop::sample::select(vec!["x", "y"]),
        prop::sample::select(vec!["default", "other"]),
        prop::sample::select(vec!["N", "M"]),
        any::<[bool; 4]>(),
        prop::option::of(2048_u64..2050),
        0_u8..3,
    )
        .prop_map(
            move |(adapter, organization, name, flags, body_bytes_max, key)| Channel {
                id: id.into(),
                adapter: adapter.into(),
                organization: organization.into(),
                display_name: name.into(),
                enabled: flags[0],
                webhook_tokens: if flags[1] {
                    vec![WebhookToken::parse(TOKEN).unwrap()]
                } else {
                    vec![]
                },
                webhook_paths: if flags[2] { vec!["/a".into()] } else { vec![] },
                body_bytes_max,
                allow_private: flags[3],
                coalesce: Coalesce::default(),
                isolation: crate::config::Isolation::default(),
                uncertain: crate::config::Uncertain::default(),
                rate: None,
                account: None,
                concurrency: flags[0].then_some(3),
                text: Text::default(),
                cost: Cost {
                    daily_segments: body_bytes_max,
                },
                inbound: Inbound::default(),
                consent: ChannelConsent::default(),
                expect: None,
                canary: None,
                address: None,
                outside_window: crate::config::OutsideWindow::default(),
                reply_window: None,
                config: AdapterSection::new(Map::from_iter([("key".to_owned(), json!(key))])),
            },
        )
}

fn any_config() -> impl Strategy<Value = Config> {
    let channels = ["a", "b", "c"].map(|id| prop::option::of(any_channel(id)));
    (channels, 1_u32..3).prop_map(|(channels, attempts_max)| {
        let mut config = Config::default();
        config.outbound.attempts_max = attempts_max;
        for channel in channels.into_iter().flatten() {
            config
                .channels
                .insert(channel.id.clone(), Arc::new(channel));
        }
        config
    })
}

proptest! {
    #[test]
    fn a_plan_leads_from_the_old_channels_to_the_new(old in any_config(), new in any_config()) {
        let none = PluginsFound::new();
        let plan = ReloadPlan::between(&old, &new, &none, &none);
        let mut channels = old.channels.clone();
        for id in &plan.stop {
            prop_assert!(channels.remove(id).is_some());
        }
        let changed = plan.restart.keys().chain(plan.update.keys());
        for id in changed.clone().chain(&plan.keep) {
            prop_assert!(channels.contains_key(id));
        }
        for id in plan.start.iter().chain(changed) {
            channels.insert(id.clone(), Arc::clone(&new.channels[id]));
        }
        prop_assert_eq!(&channels, &new.channels);
        for (id, keys) in plan.restart.iter().chain(&plan.update) {
            prop_assert!(!keys.is_empty());
            prop_assert_ne!(&old.channels[id], &new.channels[id]);
        }
        for id in plan.update.keys() {
            prop_assert_eq!(&old.channels[id].config, &new.channels[id].config);
            prop_assert_eq!(&old.channels[id].adapter, &new.channels[id].adapter);
        }
        prop_assert_eq!(plan.apply.is_empty(), old.outbound == new.outbound);
    }

    #[test]
    fn nothing_leads_to_itself(config in any_config()) {
        let hashes = plugins(&[("x", "1")]);
        prop_assert!(ReloadPlan::between(&config, &config, &hashes, &hashes).is_empty());
    }
}
