//! The programs on the kernel of this host.

#[test]
fn the_programs_load_attach_and_fire() {
    tests::require_root();
    let attached = tests::kernel_check::check().expect("the kernel check");
    assert_eq!(attached, "ingress egress recv_btf destroy_btf udp_drop_btf");
}
