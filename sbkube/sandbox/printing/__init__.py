"""The cells of kubectl's tables; `sbkube.sandbox.tables` is the way in."""
