//! TFTP from end to end: real servers, real and scripted clients.
//!
//! A scenario plays on a captured stage and says what its programs know. `truth` holds the
//! capture's transfers against that; `observed` holds the observer's numbers against the capture.

mod drops;
mod observed;
mod scenarios;
mod scripts;
mod stalls;
mod truth;
