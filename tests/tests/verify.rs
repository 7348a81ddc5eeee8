//! What the observer would say of recorded boots, beside tshark.

use std::path::Path;

use tests::verify::{Comparison, Ports, verify};

#[test]
fn the_observer_says_of_real_boots_what_tshark_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/captures");
    let ports = Ports {
        http: vec![80],
        tftp: vec![69],
    };
    let mut compared = 0;
    for file in folder.read_dir().expect("captures") {
        let capture = file.expect("a file").path();
        if capture
            .extension()
            .is_none_or(|extension| extension != "gz")
        {
            continue;
        }
        for comparison in verify(&capture, &ports).expect("compared") {
            let Comparison {
                protocol,
                differences,
                ..
            } = &comparison;
            let name = capture.display();
            assert_eq!(*differences, Vec::<String>::new(), "{name}: {protocol}");
            compared += comparison.compared;
        }
    }
    assert_eq!(compared, 90, "transfers and requests");
}
