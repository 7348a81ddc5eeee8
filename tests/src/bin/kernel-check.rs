//! Runs the kernel check and says what it found; static, for virtual machines.
#![expect(clippy::print_stdout, reason = "what it prints is its result")]

fn main() -> anyhow::Result<()> {
    println!("attached: {}", tests::kernel_check::check()?);
    Ok(())
}
