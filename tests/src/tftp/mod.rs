//! TFTP, told by others: what a capture holds, real servers, real and scripted clients.
//!
//! Nothing here shares code with the observer: it is what the observer is compared with.
//! tshark finds the datagrams and their lengths; [`transfers`] is what they add up to.

pub mod check;
pub mod client;
pub mod scripted;
pub mod server;
pub mod stage;
pub mod transfer;

mod blocks;
mod conversation;
mod message;
mod replay;
mod tshark;

use std::path::Path;

use anyhow::Result;

pub use transfer::{Operation, Outcome, Sender, Transfer};

/// All transfers whose requests went to one of `ports`, in the order of their requests.
///
/// A capture ends as if nothing more had ever come: who is silent then has timed out, or has
/// what he wanted. It may be cut behind the headers, but for requests and their options.
pub fn transfers(capture: &Path, ports: &[u16]) -> Result<Vec<Transfer>> {
    let packets = tshark::read(capture, ports)?;
    let conversations = conversation::sort(packets);
    Ok(conversations.iter().map(replay::replay).collect())
}
