"""Sites: the computers of benches that the hub reaches over SSH."""
