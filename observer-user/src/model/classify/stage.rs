//! The thirteen boot stages: what a request means to a machine that is booting.
//!
//! Invariant: the set is closed. Profiles name endpoints as they like; stages are ours.

use serde::Deserialize;

/// What a requested resource is to a booting machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The network boot program that firmware itself asks for.
    Nbp,
    /// A module, font or picture of a boot loader.
    LoaderModule,
    /// The configuration or menu of a boot loader.
    BootConfig,
    /// A script for iPXE or U-Boot.
    BootScript,
    /// A kernel, or what is booted in place of one.
    Kernel,
    /// An initial RAM disk, or a part of one.
    Initrd,
    /// A root file system, disk or installer image.
    Image,
    /// Answers for an installer, or a machine's first configuration.
    InstallConfig,
    /// A package, or the index of a package repository.
    Package,
    /// What a board's own firmware loads before any boot loader.
    FirmwareAsset,
    /// A call to the provisioning server.
    Api,
    /// The server's own pages, probes and metrics.
    Infra,
    /// None of these, or not to be trusted.
    Other,
}

impl Stage {
    /// Every stage, in the order of a boot; `Other` is last.
    pub const ALL: [Self; 13] = [
        Self::Nbp,
        Self::LoaderModule,
        Self::BootConfig,
        Self::BootScript,
        Self::Kernel,
        Self::Initrd,
        Self::Image,
        Self::InstallConfig,
        Self::Package,
        Self::FirmwareAsset,
        Self::Api,
        Self::Infra,
        Self::Other,
    ];

    /// The label's text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nbp => "nbp",
            Self::LoaderModule => "loader_module",
            Self::BootConfig => "boot_config",
            Self::BootScript => "boot_script",
            Self::Kernel => "kernel",
            Self::Initrd => "initrd",
            Self::Image => "image",
            Self::InstallConfig => "install_config",
            Self::Package => "package",
            Self::FirmwareAsset => "firmware_asset",
            Self::Api => "api",
            Self::Infra => "infra",
            Self::Other => "other",
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}
