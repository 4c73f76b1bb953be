"""The phone's shell: the part of mksh that provisioning scripts use, run without any program of the host."""
