//! What accepting a message would meet, without accepting it.

use trunkline_plugin_api::Identity;

use super::{
    Store,
    engine::StoreError,
    spending::{self, Charge, DayUse},
};
use crate::model::{ChannelId, ConsentEntry, OrgId};

/// What stands for and against a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// The entry of the ledger that forbids it, if one does.
    pub opted_out: Option<ConsentEntry>,
    /// Today's use of the caps in force, the channel's first.
    pub caps: Vec<DayUse>,
}

impl Store {
    /// Looks as accepting would, and writes nothing.
    pub async fn outlook(
        &self,
        org: OrgId,
        channel: &ChannelId,
        to: &Identity,
        charge: Charge,
    ) -> Result<Outlook, StoreError> {
        let now = self.now();
        let pending = self.engine.transact(|tx| {
            Ok::<_, StoreError>(Outlook {
                opted_out: self.forbidden(tx, org, channel, to)?,
                caps: spending::spent(tx, org, channel, charge, now)?,
            })
        })?;
        Ok(pending.await?.0)
    }
}
