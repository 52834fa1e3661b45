//! HRMS server.

/// Gives the memory of password hashes back at once, which the system's allocator keeps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hrms_server::cli::main()
}
