//! Wire types between kernel and user space; each exists once, here.
#![no_std]
