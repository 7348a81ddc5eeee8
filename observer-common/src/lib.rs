//! Wire types between kernel and user space. Each exists once, here: integers and byte
//! arrays only, no padding (held by `bytemuck::Pod`), so that any bytes are a valid value.
//!
//! Nothing else may live here but these types and the rules that change them.
#![no_std]

pub mod conn;
pub mod event;
pub mod flow;
pub mod frame;
pub mod limits;
pub mod loss;
pub mod notice;
pub mod pipe;
pub mod port;
pub mod stats;
pub mod tftp;
