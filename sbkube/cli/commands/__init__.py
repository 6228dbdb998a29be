"""One function per command. Each is handed a `Session` and gives back an exit code."""
