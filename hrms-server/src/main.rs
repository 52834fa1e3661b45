//! HRMS server.

fn main() -> std::process::ExitCode {
    hrms_server::cli::main()
}
