//! Boot loaders that look for their configuration by name, as PXELINUX does: most names are not
//! there.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

use super::{Crowd, tftp};
use crate::tftp::scripted::rrq;

/// Requests of one machine that wait for an answer at a time.
const AT_A_TIME: usize = 16;
/// From one request to the next.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks while there is a storm, and repeats what is not answered.
pub(super) async fn look_for_configurations(mut crowd: Crowd) {
    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut requests = JoinSet::new();
    for number in 0_u64.. {
        let awaited = crowd.weather.wait_for(|now| now.storm || now.is_over);
        if !awaited.await.is_ok_and(|now| now.storm && !now.is_over) {
            break;
        }
        while requests.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            break;
        };
        let name = format!("pxelinux.cfg/{number:08X}");
        let server = crowd.tftp;
        requests.spawn(async move {
            let request = rrq(name.as_bytes(), "octet", &[]);
            // It asks until it is answered.
            let _ = tftp::ask(server, &request).await;
            drop(place);
        });
        sleep(PAUSE).await;
    }
    while requests.join_next().await.is_some() {}
}
