//! The only room that knows the HTTP server: the scrape endpoint.
//!
//! Invariant: nothing that identifies a client is served here.

mod listen;
mod negotiate;
mod routes;
mod server;

pub use self::{
    listen::bind,
    routes::{App, ScrapeRequest, router},
    server::{CONNECTIONS, serve},
};
