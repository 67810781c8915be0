//! What a reload would do.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::{Map, json};

use super::{TOKEN, Written};
use crate::config::{
    AdapterSection, Channel, ChannelConsent, Coalesce, Config, Cost, Inbound, ReloadPlan, Text,
    WebhookToken,
};

fn plugins(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter()
        .map(|(id, hash)| ((*id).into(), (*hash).into()))
        .collect()
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
         waits for a restart of the daemon: server.listen, store.path"
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
        let none = BTreeMap::new();
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
