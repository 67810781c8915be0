//! How a message would go out, and whether it may: every check of accepting, nothing stored.

use std::sync::Arc;

use trunkline_plugin_api::Identity;

use super::{
    AcceptError, SendRequest, Sender, TemplateOutlook, TextPlan, WindowOutlook,
    accept::{check, opted_out, weightier},
    gate::{Asked, Gate, unit},
};
use crate::{
    channel::Channel,
    model::Millis,
    store::{DayUse, Outlook, day_ends_ms},
};

/// A message as it would go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// To whom, in normal form.
    pub to: Identity,
    /// How its text goes, where it has one.
    pub text: Option<TextPlan>,
    /// Characters that one message of the channel takes, where limited.
    pub max_len: Option<u32>,
    /// What it adds to the day's count.
    pub units: u64,
    /// What that is counted in: `segments` or `messages`.
    pub unit: &'static str,
    /// The caps in force and what of them is used, the channel's first.
    pub caps: Vec<DayUse>,
    /// When they begin anew.
    pub resets_at_ms: Millis,
    /// What the reply window means for it, on channels that have one.
    pub window: Option<WindowOutlook>,
    /// The template it calls, where it calls one.
    pub template: Option<TemplateOutlook>,
}

/// Looks at a message without sending it. The error is the one that sending would give.
pub async fn preview(
    gate: &Gate,
    channel: &Arc<Channel>,
    sender: &Sender,
    request: &SendRequest,
) -> Result<Preview, AcceptError> {
    let checked = match check(gate, channel, sender, request, Asked::ToShow) {
        Ok(checked) => checked,
        Err(error) => return Err(weightier(gate, channel, request, error).await),
    };
    let charge = checked.charge;
    let outlook = gate
        .store
        .outlook(channel.org, &channel.id, &checked.to, charge);
    let Outlook {
        opted_out: objection,
        caps,
    } = outlook.await?;
    if let Some(entry) = objection {
        return Err(opted_out(&entry));
    }
    if let Some(over) = caps.iter().find(|cap| cap.is_exceeded_by(charge.units)) {
        return Err(gate.over_cap(channel, *over, charge, Asked::ToShow));
    }
    Ok(Preview {
        to: checked.to,
        text: checked.text,
        max_len: channel.facts.as_ref().and_then(|facts| facts.max_len),
        units: charge.units,
        unit: unit(channel),
        caps,
        resets_at_ms: day_ends_ms(gate.store.now()),
        window: checked.window,
        template: checked.template,
    })
}
