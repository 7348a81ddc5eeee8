//! Which TCP ports have a label of their own.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// So many have.
pub const NAMED: usize = 16;

/// What a port is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// Itself.
    Port(u16),
    /// One of those that came when all labels were taken.
    Other,
}

impl Name {
    /// The label value.
    pub fn label(self) -> Cow<'static, str> {
        match self {
            Self::Port(port) => port.to_string().into(),
            Self::Other => "other".into(),
        }
    }
}

/// TCP ports that the user named, or that have served an HTTP request. What one is called never
/// changes.
#[derive(Debug, Default)]
pub struct Ports {
    names: BTreeMap<u16, Name>,
    served: BTreeSet<u16>,
}

impl Ports {
    /// Those that the user named.
    pub fn pinned(ports: &[u16]) -> Self {
        let mut pinned = Self::default();
        for port in ports {
            pinned.call(*port);
        }
        pinned
    }

    /// A request arrived there.
    pub fn serve(&mut self, port: u16) {
        if self.served.insert(port) {
            self.call(port);
        }
    }

    /// How many have served a request.
    pub fn served(&self) -> usize {
        self.served.len()
    }

    /// What a port is called, if it was named or has served.
    pub fn name(&self, port: u16) -> Option<Name> {
        self.names.get(&port).copied()
    }

    /// All of them, ascending.
    pub fn all(&self) -> impl Iterator<Item = (u16, Name)> {
        self.names.iter().map(|(port, name)| (*port, *name))
    }

    fn call(&mut self, port: u16) {
        let name = if self.names.len() < NAMED {
            Name::Port(port)
        } else {
            Name::Other
        };
        self.names.entry(port).or_insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_have_a_label_and_keep_it() {
        let mut ports = Ports::pinned(&[80, 8080, 80]);
        assert_eq!((ports.all().count(), ports.served()), (2, 0));
        for port in 1_000..1_020 {
            ports.serve(port);
            ports.serve(port);
        }
        ports.serve(80);
        assert_eq!(ports.served(), 21);
        for (port, name) in [
            (80, Some(Name::Port(80))),
            (1_013, Some(Name::Port(1_013))),
            (1_014, Some(Name::Other)),
            (1_019, Some(Name::Other)),
            (1_020, None),
        ] {
            assert_eq!(ports.name(port), name, "{port}");
        }
        assert_eq!(Name::Other.label(), "other");
        assert_eq!(Name::Port(80).label(), "80");
    }
}
