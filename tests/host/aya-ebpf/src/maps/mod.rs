//! Maps. Beside the programs' own calls each has what user space does with it.

mod array;
mod hash_map;
mod queue;
mod ring_buf;

pub use array::{Array, PerCpuArray};
pub use hash_map::HashMap;
pub use queue::Queue;
pub use ring_buf::{RingBuf, RingBufEntry};
