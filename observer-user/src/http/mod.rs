//! The only room that knows the HTTP server: the scrape endpoint.
//!
//! Invariant: nothing that identifies a client is served here.

mod routes;
mod server;

pub use self::{
    routes::{App, ScrapeRequest, router},
    server::serve,
};
