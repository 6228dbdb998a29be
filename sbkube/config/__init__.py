"""The project file: reading, checking with places, and the value that the rest works with."""
