"""A simulated Kubernetes API server; `server.py` runs it, `http.py` is its only part that knows HTTP."""
