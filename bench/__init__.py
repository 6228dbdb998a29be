"""How fast sbkube is beside its peers. `python -m bench` measures; nothing here passes or fails."""
