"""The API server's defaults, one module per area; `sbkube.sandbox.defaults` is the way in."""
