//! What a machine asks for while it boots.

/// A step of a boot, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// The boot loader, by TFTP.
    Nbp,
    Script,
    Kernel,
    Initrd,
    /// An image that the server converts on the fly; few machines want one.
    Image,
    /// The stored OS image.
    Os,
    /// What the machine says when it is done, by POST.
    Report,
}

/// One of so many machines wants a converted image.
pub(super) const CONVERTING: usize = 4;

impl Step {
    pub(super) const ALL: [Self; 7] = [
        Self::Nbp,
        Self::Script,
        Self::Kernel,
        Self::Initrd,
        Self::Image,
        Self::Os,
        Self::Report,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nbp => "nbp",
            Self::Script => "script",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Image => "image",
            Self::Os => "os",
            Self::Report => "report",
        }
    }

    pub(super) fn method(self) -> &'static str {
        if self == Self::Report { "POST" } else { "GET" }
    }

    pub(super) fn path(self) -> &'static str {
        self.file().0
    }

    /// Path and size.
    const fn file(self) -> (&'static str, usize) {
        match self {
            Self::Nbp => ("/ipxe/undionly.kpxe", 70_000),
            Self::Script => ("/boot/52:54:00:00:00:01", 1_500),
            Self::Kernel => ("/ipxe/hookos/vmlinuz-x86_64", 256 << 10),
            Self::Initrd => ("/ipxe/hookos/initramfs-x86_64", 512 << 10),
            Self::Image => ("/images/debian-13-amd64.raw", 256 << 10),
            Self::Os => ("/os/debian-13-amd64.raw", 4 << 20),
            Self::Report => ("/api/machines", 11),
        }
    }

    /// Whether this machine takes the step.
    pub(super) fn is_of(self, machine: usize) -> bool {
        self != Self::Image || machine.is_multiple_of(CONVERTING)
    }
}

/// What servers have: path and size.
pub(super) fn files() -> [(&'static str, usize); 7] {
    Step::ALL.map(Step::file)
}
