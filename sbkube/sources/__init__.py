"""Where content comes from: files and, later, repositories; always as text with a name, a place and a digest."""
