//! What servers send again is counted by port, whatever ports there are.

use observer_common::{limits::RETRANSMIT_PORTS, port::OTHERS};
use programs::Kernel;

const PORT: u16 = 80;

#[test]
fn retransmits_are_counted_at_watched_ports() {
    let mut kernel = Kernel::new(&[PORT, 8080], &[]);
    for (port, segments) in [(PORT, 1), (8080, 40), (PORT, 2), (81, 5), (8080, 0)] {
        kernel.on_retransmit(port, segments);
    }
    let counted = [PORT, 8080, 81, OTHERS].map(|port| kernel.retransmits(port));
    assert_eq!(counted, [Some(3), Some(40), None, Some(0)]);
}

#[test]
fn ports_that_find_no_room_are_counted_together() {
    let room = u16::try_from(RETRANSMIT_PORTS).expect("small");
    let ports: Vec<u16> = (1..room + 10).collect();
    let mut kernel = Kernel::new(&ports, &[]);
    for port in &ports {
        kernel.on_retransmit(*port, 2);
    }
    let counted = ports.iter().filter_map(|port| kernel.retransmits(*port));
    assert_eq!(counted.sum::<u64>(), 2 * u64::from(RETRANSMIT_PORTS - 1));
    assert_eq!(kernel.retransmits(OTHERS), Some(2 * 10));
}
