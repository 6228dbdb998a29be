"""The command line: binds options to `sbkube.api`, prints reports, turns errors into exit codes."""
