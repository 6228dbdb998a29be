"""The API server's validation rules, one module per area; `sbkube.sandbox.validate` is the way in."""
